"""Spoken digits as pictures: one recording is one example, 8 kHz, by six speakers."""

from typing import Literal

import torch
from torch import Tensor

from kdistill.data.batch import Dataset
from kdistill.data.log_mel import check_mels, log_mel, need_speech
from kdistill.data.plan import DatasetPlan
from kdistill.data.recordings import (
    SPEAKERS,
    TEST,
    TRAIN,
    Recording,
    archive_of,
    recordings,
    shortfall,
)
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident
from kdistill.data.torchvision_sets import check_source, expected, obtain


class SpokenDigits:
    """Log-mel pictures [1, mels, frames] of recordings in `path`, else downloaded.

    Each is standardised as a whole (mean 0, standard deviation 1: how loud it is does not count,
    how its bands compare does), then cut or padded with 0 to `frames` of 10 ms about its centre.
    classes: the digits, or each digit of each speaker, such as "7 jackson".
    """

    def __init__(
        self,
        path: str,
        source: str,
        classes: Literal["digit", "digit_speaker"],
        mels: int,
        frames: int,
        validation: int | float,
        split_seed: int,
    ) -> None:
        check_source(source, ("auto", "files", "download"))
        if classes not in ("digit", "digit_speaker"):
            raise ValueError(f"classes must be digit or digit_speaker, got {classes!r}")
        check_mels(mels)
        if frames < 1:
            raise ValueError(f"frames must be >= 1, got {frames}")
        check_validation(validation)
        self.source, self.classes, self.mels, self.frames = source, classes, mels, frames
        self.validation, self.split_seed = validation, split_seed
        self._archive = archive_of(path)

    def plan(self) -> DatasetPlan:
        """The plan, from the names of the files; before a download, from published counts."""
        need_speech()
        source = expected(self._archive, self.source)
        if source == "files":
            train, test = recordings(self._archive)
            return self._plan(source, len(train), len(test), _speakers(train + test))
        return self._plan(source, TRAIN, TEST, SPEAKERS)

    def load(self) -> Dataset:
        """The pictures; UserError for what cannot be found, downloaded or read."""
        need_speech()
        source = obtain(self._archive, self.source)
        train, test = recordings(self._archive)
        speakers = _speakers(train + test)
        return resident(
            self._plan(source, len(train), len(test), speakers),
            self._part(train, speakers),
            self._part(test, speakers),
            self.validation,
            self.split_seed,
            shortfall(len(train), len(test)),
        )

    def _plan(self, source: str, train: int, test: int, speakers: tuple[str, ...]) -> DatasetPlan:
        held = held_out(self.validation, train)
        digits = tuple("0123456789")
        each = tuple(f"{digit} {speaker}" for digit in digits for speaker in speakers)
        return DatasetPlan(
            name="spoken_digits",
            source=source,
            inputs=Array((1, self.mels, self.frames), torch.uint8),
            classes=digits if self.classes == "digit" else each,
            train=train - held,
            validation=held,
            test=test,
            bytes=4 * (train + test) * self.mels * self.frames,
        )

    def _part(self, part: list[Recording], speakers: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        pictures = [picture(log_mel(one.file, self.mels), self.frames) for one in part]
        labels = torch.tensor([one.digit for one in part])
        if self.classes == "digit_speaker":
            who = torch.tensor([speakers.index(one.speaker) for one in part])
            labels = labels * len(speakers) + who
        return torch.stack(pictures)[:, None], labels


def picture(bands: Tensor, frames: int) -> Tensor:
    """Log-mel bands [mels, any] as [mels, frames]: standardised, then cut or padded evenly.

    Of an odd number of frames to cut or to pad, the one more is at the end.
    """
    spread = bands.std(correction=0).clamp(min=1e-3)  # silence has none
    standard = (bands - bands.mean()) / spread
    surplus = bands.shape[1] - frames
    if surplus >= 0:
        return standard[:, surplus // 2 :][:, :frames]
    before = -surplus // 2
    return torch.nn.functional.pad(standard, (before, -surplus - before))


def _speakers(found: list[Recording]) -> tuple[str, ...]:
    return tuple(sorted({one.speaker for one in found}))
