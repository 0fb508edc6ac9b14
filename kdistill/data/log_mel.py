"""Reads recordings of speech and turns each into log-mel frames; needs the extra `speech`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdistill.artifacts.memory import check_room
from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

RATE = 8000  # samples per second
WINDOW, HOP = 200, 80  # samples: 25 ms every 10 ms
MOST_MELS = 128  # more would leave filters that no frequency of the transform falls into
_POINTS = 256  # of the Fourier transform
_FORMATS, _DENSEST = ("WAV", "WAVEX"), 8  # samples that a byte of a WAV file can stand for
_FLOOR = 1e-10  # of the power, before its logarithm: digital silence


def check_mels(mels: int) -> None:
    """Raises ValueError unless it is a number of mel bands that the transform can fill."""
    if not 1 <= mels <= MOST_MELS:
        raise ValueError(f"mels must be in [1, {MOST_MELS}], got {mels}")


def need_speech() -> None:
    """UserError where the packages that read audio are not installed."""
    missing = [name for name in ("librosa", "soundfile") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"dataset: reading recordings needs {' and '.join(missing)}; "
            'pip install "kdistill[speech]"'
        )


def frames_of(samples: int) -> int:
    """Frames of a recording: the windows are centred on the samples 0, 80, 160 ..."""
    return 1 + samples // HOP


def frames_in(file: Path) -> int:
    """Frames of `file`, from its header; UserError for what is no recording."""

    with _opened(file) as sound:
        return frames_of(sound.frames)


def log_mel(file: Path, mels: int) -> Tensor:
    """Float32 [mels, frames]: the natural logarithm of the power in mel bands from 0 to 4000 Hz.

    Hann windows of 25 ms every 10 ms, beyond the ends of the recording silence, Slaney's filters
    (librosa's default). UserError for what is no sound of 8 kHz in one channel.
    """
    samples = _read(file)
    spectrum = torch.stft(
        samples,
        _POINTS,
        hop_length=HOP,
        win_length=WINDOW,
        window=torch.hann_window(WINDOW),
        pad_mode="constant",
        return_complex=True,
    )
    power: Tensor = _filters(mels) @ spectrum.abs().square()
    return power.clamp(min=_FLOOR).log()


@cache
def _filters(mels: int) -> Tensor:
    from librosa.filters import mel  # takes seconds to import

    return torch.from_numpy(mel(sr=RATE, n_fft=_POINTS, n_mels=mels))


def _read(file: Path) -> Tensor:
    with _opened(file) as sound:
        samples = sound.read(dtype="float32")
    if len(samples) == 0:
        raise UserError(f"{file.absolute()}: holds no sound")
    if not np.isfinite(samples).all():
        raise UserError(f"{file.absolute()}: holds NaN or infinity")
    return torch.from_numpy(samples)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A WAV file of 8 kHz in one channel, whose header promises no more than the file can hold."""
    import soundfile

    open_regular(file).close()
    place = file.absolute()
    try:
        with soundfile.SoundFile(file) as sound:
            if (sound.samplerate, sound.channels) != (RATE, 1):
                raise UserError(
                    f"{place}: {sound.samplerate} Hz in {sound.channels} channels; "
                    f"{RATE} Hz in one channel are needed"
                )
            if sound.format not in _FORMATS or sound.frames > _DENSEST * file.stat().st_size:
                raise UserError(
                    f"{place}: {sound.format} of {sound.frames} samples, which such a file cannot "
                    "hold; WAV is needed"
                )
            check_room(place, 4 * sound.frames)
            yield sound
    except (soundfile.SoundFileError, OSError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{place}: not a readable recording ({said})") from None
