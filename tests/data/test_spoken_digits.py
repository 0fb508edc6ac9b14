"""Spoken digits as pictures: labels, split, shape and standard form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.data import log_mel as module
from kdistill.data.log_mel import log_mel
from kdistill.data.spec import Array
from kdistill.data.spoken_digits import SpokenDigits, picture
from kdistill.errors import UserError

Writer = Callable[[Path], list[str]]
AS_SHIPPED: dict[str, Any] = {
    "source": "auto",
    "classes": "digit",
    "mels": 8,
    "frames": 12,
    "validation": 4,
    "split_seed": 0,
}


def made(path: Path, **changed: Any) -> SpokenDigits:
    return SpokenDigits(str(path), **{**AS_SHIPPED, **changed})


def test_each_recording_is_one_example(tmp_path: Path, write_clone: Writer) -> None:
    names = write_clone(tmp_path)
    source = made(tmp_path)
    dataset, plan = source.load(), source.plan()
    sizes = [len(part) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [plan.train, plan.validation, plan.test] == [36, 4, 20]
    assert dataset.inputs == plan.inputs == Array((1, 8, 12), torch.uint8)
    assert dataset.classes == tuple("0123456789")
    assert plan.bytes == 60 * 8 * 12 * 4
    assert "40 training and 20 test recordings were found" in dataset.warnings[0]
    inputs, labels = dataset.test.inputs, dataset.test.targets
    assert isinstance(inputs, Tensor)
    assert inputs.shape == (20, 1, 8, 12)
    assert inputs.dtype == torch.float32
    assert labels is not None
    assert labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    tested = sorted(name for name in names if name.endswith("_0.wav"))
    for name, shown in zip(tested, inputs, strict=True):
        assert torch.equal(shown[0], picture(log_mel(tmp_path / "recordings" / name, 8), 12))


def test_sixty_classes_are_digits_of_speakers(tmp_path: Path, write_clone: Writer) -> None:
    write_clone(tmp_path)
    source = made(tmp_path, classes="digit_speaker")
    dataset = source.load()
    assert dataset.classes == source.plan().classes
    assert dataset.classes[:3] == ("0 ann", "0 bob", "1 ann")
    assert dataset.test.targets is not None
    assert dataset.test.targets.tolist() == list(range(20))
    assert made(tmp_path).load().fingerprint != dataset.fingerprint
    assert len(made(tmp_path / "none", classes="digit_speaker").plan().classes) == 60


def test_a_picture_is_standardised_then_cut_or_padded_evenly() -> None:
    bands = torch.arange(12.0).view(2, 6).square()
    whole = picture(bands, 6)
    assert float(whole.mean()) == pytest.approx(0, abs=1e-6)
    assert float(whole.std(correction=0)) == pytest.approx(1)
    torch.testing.assert_close(picture(3 * bands + 7, 6), whole)  # loudness does not count
    assert torch.equal(picture(bands, 3), whole[:, 1:4])
    padded = picture(bands, 9)
    assert torch.equal(padded[:, 1:7], whole)
    assert padded[:, [0, 7, 8]].abs().sum() == 0
    assert torch.equal(picture(torch.full((2, 3), -23.0), 3), torch.zeros(2, 3))


def test_before_a_download_the_plan_has_the_published_counts(tmp_path: Path) -> None:
    plan = made(tmp_path).plan()
    assert (plan.source, plan.train, plan.validation, plan.test) == ("download", 2696, 4, 300)
    with pytest.raises(UserError, match=r"lacks 0_\*.wav, .* or use dataset.source=download"):
        made(tmp_path, source="files").plan()


def test_without_the_extra_nothing_is_planned_or_loaded(
    tmp_path: Path, write_clone: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clone(tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    for ask in (made(tmp_path).plan, made(tmp_path).load):
        with pytest.raises(UserError, match="reading recordings needs librosa and soundfile"):
            ask()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"source": "bundled"}, "source must be one of auto, files, download"),
        ({"classes": "speaker"}, "classes must be digit or digit_speaker, got 'speaker'"),
        ({"mels": 0}, r"mels must be in \[1, 128\], got 0"),
        ({"frames": 0}, "frames must be >= 1, got 0"),
        ({"validation": 1.0}, "validation must be a count"),
    ],
)
def test_values_out_of_range_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(Path("data"), **changed)
