"""Reads the four IDX files of MNIST and its likes, and refuses a file that is not whole."""

import math
import struct
from importlib import import_module
from pathlib import Path

from torch import Tensor

from kdistill.artifacts.memory import check_room
from kdistill.artifacts.regular import open_regular
from kdistill.data.torchvision_sets import Archive
from kdistill.errors import UserError

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_archive(title: str, name: str, path: str, remedy: str = "") -> Archive:
    """The files of torchvision's data set `name` (MNIST, FashionMNIST) below `path`."""
    root = Path(path).expanduser()

    def download() -> object:
        return getattr(import_module("torchvision.datasets"), name)(root, download=True)

    return Archive(title, root, root / name / "raw", _FILES, download, remedy)


def idx_counts(archive: Archive) -> tuple[int, int]:
    """Numbers of training and test images, from the headers; UserError for a damaged file."""
    images, labels, test_images, test_labels = (archive.folder / name for name in _FILES)
    return _paired(images, labels), _paired(test_images, test_labels)


def read_idx(archive: Archive) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """((inputs, labels) of training, of test): uint8 [n, 1, 28, 28] and int64 [n], below 10."""
    idx_counts(archive)
    images, labels, test_images, test_labels = (archive.folder / name for name in _FILES)
    return _read(images, labels), _read(test_images, test_labels)


def _read(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    from torchvision.datasets.mnist import (  # torchvision takes seconds to import
        read_image_file,
        read_label_file,
    )

    inputs, targets = read_image_file(str(images)), read_label_file(str(labels))
    if targets.max() > 9:
        raise UserError(_damaged(labels, f"it holds a label {int(targets.max())}, above 9"))
    return inputs[:, None], targets


def _paired(images: Path, labels: Path) -> int:
    (count, height, width), (labelled,) = _shape(images, 3), _shape(labels, 1)
    if (height, width) != (28, 28):
        raise UserError(_damaged(images, f"its images are {height}x{width}, not 28x28"))
    if count == 0:
        raise UserError(_damaged(images, "it holds no image"))
    if count != labelled:
        raise UserError(_damaged(labels, f"it has {labelled} labels for {count} images"))
    check_room(images, count * height * width)
    return count


def _shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """The shape in the header of a file of bytes, after checking that as many bytes follow."""
    with open_regular(path) as file:
        header = file.read(4 + 4 * dimensions)
    magic = bytes([0, 0, 8, dimensions])  # 8: unsigned bytes
    if header[:4] != magic:
        raise UserError(
            _damaged(path, f"it begins with {header[:4].hex() or 'nothing'}, not {magic.hex()}")
        )
    if len(header) < 4 + 4 * dimensions:
        raise UserError(_damaged(path, "it ends within its header"))
    shape = struct.unpack(f">{dimensions}I", header[4:])
    expected, actual = len(header) + math.prod(shape), path.stat().st_size
    if actual != expected:
        raise UserError(_damaged(path, f"it has {actual} bytes, its header asks for {expected}"))
    return shape


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path.absolute()}: damaged ({why}); delete it and run again with dataset.source=download"
    )
