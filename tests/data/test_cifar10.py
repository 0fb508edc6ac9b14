"""CIFAR-10: tiny batches whose checksums stand in for the published ones."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10 as Published

from kdistill.data.cifar10 import CIFAR10
from kdistill.errors import UserError

TRAIN = [f"data_batch_{part}" for part in range(1, 6)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six files of 4 pictures each, row r of file f filled by 40 f + r in its green plane."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    md5 = {}
    for number, name in enumerate([*TRAIN, "test_batch", "batches.meta"]):
        pictures = np.zeros((4, 3, 1024), dtype=np.uint8)
        pictures[:, 1] = 40 * number + np.arange(4)[:, None]
        entry = {"data": pictures.reshape(4, -1), "labels": [number, 1, 2, 3]}
        content = pickle.dumps({"label_names": list("abcdefghij")} if "meta" in name else entry)
        (folder / name).write_bytes(content)
        md5[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(Published, "train_list", [[name, md5[name]] for name in TRAIN])
    monkeypatch.setattr(Published, "test_list", [["test_batch", md5["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}
    monkeypatch.setattr(Published, "meta", meta)
    return folder


def test_pictures_and_labels_keep_their_order(folder: Path) -> None:
    dataset = CIFAR10(str(folder.parent), "files", 0, 0).load()
    assert dataset.train.inputs.shape == (20, 3, 32, 32)  # type: ignore[union-attr]
    greens = dataset.train.inputs[:, 1, 5, 7]  # type: ignore[index]
    assert greens.tolist() == [40 * file + row for file in range(5) for row in range(4)]
    assert dataset.train.inputs[:, [0, 2]].max() == 0  # type: ignore[index]
    assert dataset.train.targets is not None
    assert dataset.train.targets[::4].tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(dataset.test.inputs[:, 1, 0, 0], torch.tensor([200, 201, 202, 203]))  # type: ignore[index]
    assert dataset.classes[3] == "cat"


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_damaged_file_is_named_and_never_unpickled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-10] ^= 1
    (folder / name).write_bytes(content)
    evil = folder / name
    opened: list[str] = []
    load = pickle.load

    def watched(file, **how):  # type: ignore[no-untyped-def]
        opened.append(file.name)
        return load(file, **how)

    monkeypatch.setattr(pickle, "load", watched)
    data = CIFAR10(str(folder.parent), "auto", 0, 0)
    for ask in (data.plan, data.load):
        with pytest.raises(UserError, match=rf"cifar-10-batches-py/{name}: damaged"):
            ask()
    assert str(evil) not in opened


def test_absent_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar-10-batches-py lacks data_batch_1, .*dataset.path="):
        CIFAR10(str(tmp_path), "files", 0, 0).load()


def test_a_failed_download_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", fail)
    with pytest.raises(UserError, match=r"the download failed \(reset by peer\)"):
        CIFAR10(str(tmp_path), "auto", 0, 0).load()


def test_the_plan_knows_the_published_counts(tmp_path: Path) -> None:
    plan = CIFAR10(str(tmp_path), "auto", 0.1, 0).plan()
    assert (plan.source, plan.train, plan.validation, plan.test) == (
        "download",
        45_000,
        5000,
        10_000,
    )
