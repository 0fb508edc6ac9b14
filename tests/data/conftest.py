"""Tiny IDX files in the layout of MNIST."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_idx(path: Path, values: Tensor) -> None:
    header = bytes([0, 0, 8, values.dim()]) + struct.pack(f">{values.dim()}I", *values.shape)
    path.write_bytes(header + values.to(torch.uint8).numpy().tobytes())


@pytest.fixture
def write_tiny() -> Callable[[Path], tuple[Tensor, Tensor]]:
    """Writes 40 training and 12 test digits; returns the training images and labels."""

    def write(folder: Path) -> tuple[Tensor, Tensor]:
        folder.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(0)
        for names, count in ((NAMES[2:], 12), (NAMES[:2], 40)):
            images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
            labels = torch.randint(0, 10, (count,), generator=generator)
            write_idx(folder / names[0], images)
            write_idx(folder / names[1], labels)
        return images, labels

    return write
