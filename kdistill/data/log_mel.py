"""Reads recordings of speech and turns each into log-mel frames; needs the extra `speech`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from kdistill.errors import UserError

RATE = 8000  # samples per second
WINDOW, HOP = 200, 80  # samples: 25 ms every 10 ms
MOST_MELS = 128  # more would leave filters that no frequency of the transform falls into
_POINTS = 256  # of the Fourier transform
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
    import soundfile

    with _told(file):
        return frames_of(soundfile.info(file).frames)


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
    import soundfile

    with _told(file):
        samples, rate = soundfile.read(file, dtype="float32")
    if rate != RATE or samples.ndim != 1:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        raise UserError(
            f"{file.absolute()}: {rate} Hz in {channels} channels; "
            f"{RATE} Hz in one channel are needed"
        )
    if len(samples) == 0:
        raise UserError(f"{file.absolute()}: holds no sound")
    return torch.from_numpy(samples)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    import soundfile

    try:
        yield
    except (soundfile.SoundFileError, OSError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{file.absolute()}: not a readable recording ({said})") from None
