"""Tiny IDX files in the layout of MNIST, and tiny recordings in that of spoken digits."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
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


@pytest.fixture
def write_clone() -> Callable[[Path], list[str]]:
    """Writes 40 training and 20 test recordings, tones that rise with the digit, and names them."""

    def write(root: Path) -> list[str]:
        (root / "recordings").mkdir(parents=True)
        noise, names = np.random.default_rng(0), []
        for digit in range(10):
            for place, speaker in enumerate(("ann", "bob")):
                for number in (0, 5, 6):
                    time = np.arange(400 + 80 * digit + 40 * number + 100 * place) / 8000
                    tone = 0.3 * np.sin(2 * np.pi * (300 + 300 * digit) * time)
                    names.append(f"{digit}_{speaker}_{number}.wav")
                    sound = tone + 0.01 * noise.normal(size=len(time))
                    soundfile.write(root / "recordings" / names[-1], sound, 8000)
        return names

    return write
