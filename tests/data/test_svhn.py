"""SVHN: tiny .mat files whose checksums stand in for the published ones."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from torchvision.datasets import SVHN as Published

from kdistill.data.svhn import SVHN
from kdistill.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures a part; their labels 10, 1, 2 stand for the digits 0, 1, 2."""
    published = {}
    for number, part in enumerate(("train", "test", "extra")):
        pictures = np.zeros((32, 32, 3, 3), dtype=np.uint8)
        pictures[4, 9, 2] = 10 * number + np.arange(3)  # row 4, column 9, blue
        file = tmp_path / f"{part}_32x32.mat"
        scipy.io.savemat(file, {"X": pictures, "y": np.array([[10], [1], [2]], dtype=np.uint8)})
        md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        published[part] = ["http://nowhere", file.name, md5]
    monkeypatch.setattr(Published, "split_list", published)
    return tmp_path


@pytest.mark.parametrize("extra", [False, True])
def test_pictures_and_labels(folder: Path, extra: bool) -> None:
    dataset = SVHN(str(folder), "files", 0, 0, extra).load()
    assert dataset.test.inputs[:, 2, 4, 9].tolist() == [10, 11, 12]  # type: ignore[index]
    assert dataset.test.targets.tolist() == [0, 1, 2]  # type: ignore[union-attr]
    blues = dataset.train.inputs[:, 2, 4, 9].tolist()  # type: ignore[index]
    assert blues == ([0, 1, 2, 20, 21, 22] if extra else [0, 1, 2])
    assert len(dataset.train.targets) == len(blues)  # type: ignore[arg-type]


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "test_32x32.mat").write_bytes(b"MATLAB 5.0")
    data = SVHN(str(folder), "auto", 0, 0, extra=False)
    for ask in (data.plan, data.load):
        with pytest.raises(UserError, match=r"/test_32x32.mat: damaged"):
            ask()


def test_absent_files_are_explained(folder: Path) -> None:
    (folder / "extra_32x32.mat").unlink()
    assert SVHN(str(folder), "files", 0, 0, extra=False).plan().source == "files"
    with pytest.raises(UserError, match=r"lacks extra_32x32.mat"):
        SVHN(str(folder), "files", 0, 0, extra=True).plan()


def test_the_plan_knows_the_published_counts(tmp_path: Path) -> None:
    plan = SVHN(str(tmp_path), "auto", 5000, 0, extra=True).plan()
    assert (plan.train, plan.validation, plan.test) == (599_388, 5000, 26_032)
