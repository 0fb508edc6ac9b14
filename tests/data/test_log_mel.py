"""Log-mel frames: librosa's own figures, where a tone lies, and recordings that cannot be used."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kdistill.data import log_mel as module
from kdistill.data.log_mel import check_mels, frames_of, log_mel, need_speech
from kdistill.errors import UserError


def test_they_are_the_logarithm_of_what_librosa_finds(tmp_path: Path) -> None:
    from librosa.feature import melspectrogram

    samples = np.random.default_rng(0).normal(size=1999).astype(np.float32) / 10
    soundfile.write(tmp_path / "noise.wav", samples, 8000, "FLOAT")
    theirs = melspectrogram(y=samples, sr=8000, n_fft=256, win_length=200, hop_length=80, n_mels=40)
    ours = log_mel(tmp_path / "noise.wav", 40)
    assert ours.shape == (40, frames_of(1999))
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, torch.from_numpy(np.log(theirs)), rtol=1e-4, atol=1e-4)


def test_a_higher_tone_lies_in_a_higher_band_of_every_frame(tmp_path: Path) -> None:
    time, bands = np.arange(1600) / 8000, []
    for hertz in (300, 1000, 3000):
        soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * hertz * time), 8000)
        within = log_mel(tmp_path / "tone.wav", 40)[:, 2:-2].argmax(0)  # windows full of it
        assert within.unique().numel() == 1
        bands.append(int(within[0]))
    assert bands == sorted(set(bands))


def test_silence_is_the_floor(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(800), 8000)
    assert torch.equal(log_mel(tmp_path / "silence.wav", 3), torch.full((3, 11), 1e-10).log())


def test_what_is_no_sound_of_8_khz_is_named(tmp_path: Path) -> None:
    mute = np.zeros((100, 2))
    soundfile.write(tmp_path / "fast.wav", mute[:, 0], 16000)
    soundfile.write(tmp_path / "stereo.wav", mute, 8000)
    soundfile.write(tmp_path / "empty.wav", mute[:0, 0], 8000)
    (tmp_path / "text.wav").write_text("seven")
    os.mkfifo(tmp_path / "pipe.wav")
    soundfile.write(tmp_path / "flac.wav", mute[:, 0], 8000, format="FLAC")
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), 8000, "FLOAT")
    for name, says in (
        ("fast", "16000 Hz in 1 channels; 8000 Hz in one channel are needed"),
        ("stereo", "8000 Hz in 2 channels"),
        ("empty", "holds no sound"),
        ("text", "not a readable recording"),
        ("absent", "no such file"),
        ("pipe", "cannot be read"),
        ("flac", "FLAC of 100 samples, which such a file cannot hold; WAV is needed"),
        ("nan", "holds NaN or infinity"),
    ):
        with pytest.raises(UserError, match=rf"{name}.wav: {says}") as caught:
            log_mel(tmp_path / f"{name}.wav", 40)
        assert "\n" not in str(caught.value)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need_speech()
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "librosa" else name)
    with pytest.raises(UserError, match=r'needs librosa; pip install "kdistill\[speech\]"'):
        need_speech()


def test_mels_out_of_range_are_refused() -> None:
    check_mels(128)
    for mels in (0, 129):
        with pytest.raises(ValueError, match=rf"mels must be in \[1, 128\], got {mels}"):
            check_mels(mels)
