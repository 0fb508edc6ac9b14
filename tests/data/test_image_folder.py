"""A folder of pictures: labels by folder name, both paths alike, wrong files and folders named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kdistill.data.image_folder import ImageFolder
from kdistill.data.pictures import Pictures
from kdistill.data.streams import in_order
from kdistill.errors import UserError

CPU = torch.device("cpu")


def _picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Five training and two test pictures of cats (red) and dogs (green)."""
    root = tmp_path / "pets"
    for number in range(5):
        _picture(root / "train" / "dog" / f"{number}.png", (0, 10 + number, 0))
        _picture(root / "train" / "cat" / "more" / f"{number}.PNG", (10 + number, 0, 0))
    for kind, colour in (("cat", (90, 0, 0)), ("dog", (0, 90, 0))):
        _picture(root / "test" / kind / "a.jpg", colour)
    (root / "train" / "cat" / "notes.txt").write_text("not a picture")
    (root / "train" / "cat" / "._0.png").write_text("not a picture")
    (root / "train" / ".cache").mkdir()
    return root


def _folder(path: Path, **changed: Any) -> ImageFolder:
    values: dict[str, Any] = {
        "size": [8, 8], "channels": 3, "resident": "auto", "workers": 0, "validation": 2,
        "split_seed": 0,
    }  # fmt: skip
    return ImageFolder(str(path), **{**values, **changed})


def _inputs(examples: Any) -> Tensor:
    return torch.cat([batch.inputs for batch in in_order(examples, 3, CPU)])


def test_labels_follow_the_folder_names(pets: Path) -> None:
    dataset, plan = _folder(pets).load(), _folder(pets).plan()
    assert dataset.classes == plan.classes == ("cat", "dog")
    assert (plan.train, plan.validation, plan.test) == (8, 2, 2)
    assert (dataset.name, plan.bytes) == ("pets", 12 * 192)
    assert dataset.test.targets.tolist() == [0, 1]  # type: ignore[union-attr]
    for part in (dataset.train, dataset.validation):
        inputs, labels = _inputs(part), part.targets
        assert torch.equal(inputs[:, 1, 0, 0] > 0, labels == 1)  # dogs are green
        shade = inputs[torch.arange(len(part)), labels, 4, 4].long()  # type: ignore[index]
        assert torch.equal(shade, 10 + part.index % 5)


def test_streamed_pictures_equal_resident_ones(pets: Path) -> None:
    kept = _folder(pets, resident=True, workers=2).load()
    read = _folder(pets, resident=False, workers=2).load()
    assert isinstance(kept.train.inputs, Tensor)
    assert not isinstance(read.train.inputs, Tensor)
    assert (kept.train.workers, read.train.workers) == (0, 2)
    assert _folder(pets, resident=False).plan().bytes == 0
    for one, other in ((kept.train, read.train), (kept.test, read.test)):
        assert torch.equal(_inputs(one), _inputs(other))
        assert torch.equal(one.targets, other.targets)  # type: ignore[arg-type]
    assert kept.fingerprint == read.fingerprint


def test_a_validation_folder_replaces_the_split(pets: Path) -> None:
    for kind in ("cat", "dog"):
        _picture(pets / "validation" / kind / "v.png", (1, 2, 3))
    dataset, plan = _folder(pets).load(), _folder(pets).plan()
    assert (len(dataset.train), len(dataset.validation)) == (10, 2) == (plan.train, plan.validation)
    assert _inputs(dataset.validation)[:, :, 0, 0].tolist() == [[1, 2, 3]] * 2


def test_pictures_are_scaled_to_cover_and_cut_about_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((10, 40, 3), dtype=np.uint8)
    wide[:, 10:20], wide[:, 20:30] = (200, 0, 0), (0, 200, 0)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    picture = Pictures([tmp_path / "wide.png"], (5, 10), 3)[0]
    assert picture.shape == (3, 5, 10)
    assert picture.dtype == torch.uint8
    assert picture[:, 2, 2].tolist() == [200, 0, 0]
    assert picture[:, 2, 7].tolist() == [0, 200, 0]
    grey = Pictures([tmp_path / "wide.png"], (5, 10), 1)[0]
    assert grey.shape == (1, 5, 10)
    assert grey[0, 2, 7] == round(200 * 0.587)


def test_the_fingerprint_sees_a_changed_file_and_another_size(pets: Path) -> None:
    before = _folder(pets).load().fingerprint
    assert _folder(pets).load().fingerprint == before
    assert _folder(pets, size=[4, 4]).load().fingerprint != before
    assert _folder(pets, split_seed=1).load().fingerprint != before
    _picture(pets / "train" / "cat" / "more" / "0.PNG", (1, 1, 1))
    assert _folder(pets).load().fingerprint != before


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("damage", ["text", "truncated", "empty"])
def test_a_damaged_picture_is_named(pets: Path, resident: bool, damage: str) -> None:
    file = pets / "test" / "dog" / "a.jpg"
    whole = file.read_bytes()
    file.write_bytes(
        {"text": b"hello", "truncated": whole[: len(whole) // 2], "empty": b""}[damage]
    )
    with pytest.raises(UserError, match=r"test/dog/a.jpg: not a readable image") as caught:
        _inputs(_folder(pets, resident=resident).load().test)
    assert "\n" not in str(caught.value)


def test_folders_that_do_not_fit_are_named(pets: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/train: no such folder; dataset.path must hold"):
        _folder(tmp_path / "nowhere").plan()
    _picture(pets / "test" / "bird" / "a.png", (0, 0, 0))
    with pytest.raises(UserError, match="test has a class folder 'bird' and train has none"):
        _folder(pets).plan()
    (pets / "train" / "bird").mkdir()
    with pytest.raises(UserError, match=r"train/bird: no image files in it"):
        _folder(pets).load()
    _picture(tmp_path / "one" / "train" / "cat" / "a.png", (0, 0, 0))
    with pytest.raises(UserError, match="two or more classes"):
        _folder(tmp_path / "one").plan()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"size": [8]}, "size must be"),
        ({"size": [0, 8]}, "size must be"),
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"resident": "yes"}, "resident must be auto, true or false, got 'yes'"),
        ({"workers": -1}, "workers must be >= 0, got -1"),
    ],
)
def test_values_out_of_range_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        _folder(Path("x"), **changed)
