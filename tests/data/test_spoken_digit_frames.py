"""Frames of spoken digits: segmentation, context, and a split that keeps recordings whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.data.log_mel import frames_in, log_mel
from kdistill.data.spec import Array, shape_of, spec_of
from kdistill.data.spoken_digit_frames import (
    CLASSES,
    SpokenDigitFrames,
    standardised,
    states,
    windows,
)
from kdistill.data.transfer import TrainingSet
from kdistill.errors import UserError

Writer = Callable[[Path], list[str]]
AS_SHIPPED: dict[str, Any] = {
    "source": "auto",
    "mels": 5,
    "past": 3,
    "future": 1,
    "validation": 7,
    "split_seed": 0,
}


def made(path: Path, **changed: Any) -> SpokenDigitFrames:
    return SpokenDigitFrames(str(path), **{**AS_SHIPPED, **changed})


def test_recordings_are_segmented_evenly() -> None:
    assert states(9).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert states(10).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert states(11).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert states(3).tolist() == [0, 1, 2]
    assert CLASSES[:4] == ("0 begin", "0 middle", "0 end", "1 begin")
    assert len(CLASSES) == 30


def test_a_window_holds_the_frame_between_its_neighbours() -> None:
    bands = torch.arange(10).view(2, 5)
    found = windows(bands, 2, 1)
    assert found.shape == (5, 2, 4)
    assert found[:, 0].tolist() == [
        [0, 0, 0, 1],
        [0, 0, 1, 2],
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 4],
    ]
    assert torch.equal(found[:, 1], found[:, 0] + 5)
    assert torch.equal(windows(bands, 0, 0)[:, :, 0], bands.T)


def test_every_band_is_standardised_over_the_recording() -> None:
    bands = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)) * 3 - 8
    found = standardised(bands)
    torch.testing.assert_close(found.mean(1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(1, correction=0), torch.ones(4))
    assert torch.equal(standardised(torch.full((2, 3), -23.0)), torch.zeros(2, 3))


def test_frames_are_bytes_of_their_recordings(tmp_path: Path, write_clone: Writer) -> None:
    names = write_clone(tmp_path)
    dataset = made(tmp_path, validation=0).load()
    train = dataset.train
    assert isinstance(train.inputs, Tensor)
    assert train.inputs.dtype == torch.uint8
    assert spec_of(train.inputs) == dataset.inputs == Array((1, 5, 5), torch.uint8)
    listed = [name for name in sorted(names) if not name.endswith("_0.wav")]
    assert train.group is not None
    assert train.targets is not None
    for group, name in enumerate(listed):
        rows = train.group == group
        bands = standardised(log_mel(tmp_path / "recordings" / name, 5))
        centre = train.inputs[rows][:, 0, :, 3].T  # the frame itself, after three before it
        torch.testing.assert_close(
            (centre.float() - 128) / 32, bands.clamp(-4, 127 / 32), atol=1 / 64, rtol=0
        )
        assert train.targets[rows].tolist() == (3 * int(name[0]) + states(bands.shape[1])).tolist()
    assert len(dataset.validation) == 0


def test_validation_takes_whole_recordings(tmp_path: Path, write_clone: Writer) -> None:
    write_clone(tmp_path)
    source = made(tmp_path)
    dataset, plan = source.load(), source.plan()
    parts = (dataset.train, dataset.validation, dataset.test)
    assert [len(part) for part in parts] == [plan.train, plan.validation, plan.test]
    counts = [len(part.group.unique()) for part in parts]  # type: ignore[union-attr]
    assert counts == [33, 7, 20]
    kept, held = (set(part.group.tolist()) for part in parts[:2])  # type: ignore[union-attr]
    assert not kept & held
    everything = made(tmp_path, validation=0).load().train
    for part in parts[:2]:
        assert everything.group is not None
        assert torch.equal(everything.group[part.index], part.group)
        assert torch.equal(everything.inputs[part.index], part.inputs)  # type: ignore[index]
    fingerprints = {made(tmp_path, split_seed=seed).load().fingerprint for seed in (0, 0, 1, 2)}
    assert len(fingerprints) == 3
    assert "as many independent cases" in dataset.note
    assert "40 training and 20 test recordings were found" in dataset.warnings[0]


def test_the_group_goes_with_the_examples(tmp_path: Path, write_clone: Writer) -> None:
    write_clone(tmp_path)
    test = made(tmp_path).load().test
    rows = torch.tensor([40, 2, 90])
    assert test.group is not None
    assert torch.equal(test.take(rows).group, test.group[rows])
    assert sorted(set(test.group.tolist())) == list(range(20))


def test_a_fraction_of_the_frames_is_of_whole_recordings(
    tmp_path: Path, write_clone: Writer
) -> None:
    write_clone(tmp_path)
    dataset = made(tmp_path).load()
    everything, some = dataset.train.group, TrainingSet(0.2).examples(dataset).group
    assert everything is not None
    assert some is not None
    assert len(some) == round(0.2 * len(everything))
    whole = torch.bincount(everything, minlength=40)
    found = torch.bincount(some, minlength=40)
    assert ((found > 0) & (found < whole)).sum() <= 1  # the last one drawn
    larger = TrainingSet(0.5).examples(dataset)
    assert set(TrainingSet(0.2).examples(dataset).index.tolist()) < set(larger.index.tolist())


def test_headers_tell_the_frames(tmp_path: Path, write_clone: Writer) -> None:
    for name in write_clone(tmp_path)[:4]:
        file = tmp_path / "recordings" / name
        assert frames_in(file) == log_mel(file, 5).shape[1]
    (tmp_path / "recordings" / "3_ann_7.wav").write_text("three")
    for ask in (made(tmp_path).plan, made(tmp_path).load):
        with pytest.raises(UserError, match=r"3_ann_7.wav: not a readable recording"):
            ask()


def test_before_a_download_the_plan_has_about_the_published_counts(tmp_path: Path) -> None:
    plan = made(tmp_path, validation=270).plan()
    assert (plan.source, plan.validation, plan.train) == ("download", 11_967, 107_700)
    assert (shape_of(plan.inputs), plan.test) == ((1, 5, 5), 13_083)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"source": "bundled"}, "source must be one of auto, files, download"),
        ({"mels": 129}, r"mels must be in \[1, 128\], got 129"),
        ({"past": -1}, "past must be >= 0, got -1"),
        ({"future": -2}, "future must be >= 0, got -2"),
        ({"validation": -1}, "validation must be a count"),
    ],
)
def test_values_out_of_range_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(Path("data"), **changed)
