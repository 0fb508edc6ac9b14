"""Frames of spoken digits with their context, each labelled with a state of its digit."""

from dataclasses import replace

import torch
from torch import Tensor

from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset, Examples
from kdistill.data.log_mel import check_mels, frames_in, log_mel, need_speech
from kdistill.data.plan import DatasetPlan
from kdistill.data.recordings import TRAIN, Recording, archive_of, recordings, shortfall
from kdistill.data.spec import Array, one_of
from kdistill.data.split import check_validation, drawn, held_out
from kdistill.data.torchvision_sets import check_source, expected, obtain

STATES = ("begin", "middle", "end")  # of each digit, thirds of its recordings
CLASSES = tuple(f"{digit} {state}" for digit in range(10) for state in STATES)
_TRAIN_FRAMES, _TEST_FRAMES = 119_667, 13_083  # of version 1.0.10
_STEPS = 32  # of a byte, in one standard deviation; 128 is the mean
_NOTE = (
    "Neighbouring frames are alike, so intervals and tests over frames are narrower than over as "
    "many independent cases; those over recordings are not."
)


class SpokenDigitFrames:
    """Frames [1, mels, past + 1 + future] (10 ms each) of recordings in `path`, else downloaded.

    The frame that is labelled has `past` frames before and `future` after it; Hinton et al. (2015,
    section 4) predict the 21st of 26. Each band has mean 0 and standard deviation 1 over its
    recording, kept as a byte: 128 + 32 x, so x within -4 and 3.97. `group` says which recording a
    frame is of, and the validation part is drawn by recording.
    """

    def __init__(
        self,
        path: str,
        source: str,
        mels: int,
        past: int,
        future: int,
        validation: int | float,
        split_seed: int,
    ) -> None:
        check_source(source, ("auto", "files", "download"))
        check_mels(mels)
        for name, frames in (("past", past), ("future", future)):
            if frames < 0:
                raise ValueError(f"{name} must be >= 0, got {frames}")
        check_validation(validation)
        self.source, self.mels, self.past, self.future = source, mels, past, future
        self.validation, self.split_seed = validation, split_seed
        self._archive = archive_of(path)

    def plan(self) -> DatasetPlan:
        """The plan, from the headers of the recordings; before a download, about."""
        need_speech()
        source = expected(self._archive, self.source)
        if source == "download":
            held = round(_TRAIN_FRAMES * held_out(self.validation, TRAIN) / TRAIN)
            return self._plan(source, _TRAIN_FRAMES - held, held, _TEST_FRAMES)
        train, test = recordings(self._archive)
        frames = torch.tensor([frames_in(one.file) for one in train])
        kept, held_rows = self._split(len(train))
        tested = sum(frames_in(one.file) for one in test)
        return self._plan(source, int(frames[kept].sum()), int(frames[held_rows].sum()), tested)

    def load(self) -> Dataset:
        """The frames; UserError for what cannot be found, downloaded or read."""
        need_speech()
        source = obtain(self._archive, self.source)
        train, test = recordings(self._archive)
        examples, tested = self._examples(train, "train"), self._examples(test, "test")
        kept, held = self._split(len(train))
        assert examples.group is not None
        how = {"held": held.tolist(), "past": self.past}
        name = fingerprint(examples.inputs, examples.targets, tested.inputs, tested.targets, how)
        validation = examples.take(torch.isin(examples.group, held).nonzero().flatten())
        examples = examples.take(torch.isin(examples.group, kept).nonzero().flatten())
        plan = self._plan(source, len(examples), len(validation), len(tested))
        return Dataset(
            name=plan.name,
            source=source,
            fingerprint=name,
            inputs=plan.inputs,
            targets=one_of(plan.classes),
            classes=plan.classes,
            train=replace(examples, origin=name),
            validation=validation,
            test=tested,
            note=plan.note,
            warnings=shortfall(len(train), len(test)),
        )

    def _split(self, available: int) -> tuple[Tensor, Tensor]:
        """(kept, held) recordings of the training set."""
        return drawn(held_out(self.validation, available), available, self.split_seed)

    def _plan(self, source: str, train: int, validation: int, test: int) -> DatasetPlan:
        shape = (1, self.mels, self.past + 1 + self.future)
        return DatasetPlan(
            name="spoken_digit_frames",
            source=source,
            inputs=Array(shape, torch.uint8),
            classes=CLASSES,
            train=train,
            validation=validation,
            test=test,
            bytes=(train + validation + test) * shape[1] * shape[2],
            note=_NOTE,
        )

    def _examples(self, heard: list[Recording], part: str) -> Examples:
        inputs = [self._windows(one) for one in heard]
        counts = torch.tensor([len(each) for each in inputs])
        labels = [
            len(STATES) * one.digit + states(len(each))
            for one, each in zip(heard, inputs, strict=True)
        ]
        return Examples(
            inputs=torch.cat(inputs),
            targets=torch.cat(labels),
            index=torch.arange(int(counts.sum())),
            part=part,
            group=torch.arange(len(heard)).repeat_interleave(counts),
        )

    def _windows(self, one: Recording) -> Tensor:
        bands = standardised(log_mel(one.file, self.mels))
        coded = (128 + _STEPS * bands).round().clamp(0, 255).to(torch.uint8)
        return windows(coded, self.past, self.future)[:, None]


def states(frames: int) -> Tensor:
    """The state of each frame of a recording, [frames] int64: as many frames in each, or one more.

    Uniform segmentation: frame t of n is in state floor(3 t / n).
    """
    return torch.arange(frames) * len(STATES) // frames


def standardised(bands: Tensor) -> Tensor:
    """Log-mel bands [mels, frames], each with mean 0 and standard deviation 1 over the frames."""
    spread = bands.std(1, correction=0, keepdim=True).clamp(min=1e-3)  # silence has none
    return (bands - bands.mean(1, keepdim=True)) / spread


def windows(bands: Tensor, past: int, future: int) -> Tensor:
    """Each frame of [mels, frames] between its neighbours: [frames, mels, past + 1 + future].

    Beyond the ends of a recording its first and its last frame are repeated.
    """
    before, after = bands[:, :1].expand(-1, past), bands[:, -1:].expand(-1, future)
    longer = torch.cat([before, bands, after], dim=1)
    return longer.unfold(1, past + 1 + future, 1).permute(1, 0, 2).contiguous()
