"""Which inputs the teacher is asked about: the training set, or part of it."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Dataset, Examples, Stream
from kdistill.data.labels import label_of, labels_of
from kdistill.data.plan import Sweeps
from kdistill.data.randomness import purpose_of, sample_keys
from kdistill.data.spec import blank
from kdistill.data.streams import EpochStream
from kdistill.errors import UserError


class Transfer(Protocol):
    """What a config in configs/transfer builds; derive from it, and say what differs."""

    fresh: bool  # whether its streams are: the inputs are new each epoch
    epoch_size: int | None = None  # inputs of an epoch, by whole passes; None: one pass

    def examples(self, dataset: Dataset) -> Examples:
        """The examples whose answers can be stored, for a stream that is not fresh."""
        ...

    def check(self, dataset: Dataset) -> None:
        """UserError for what `stream` would refuse, told before anything is trained."""
        return

    def labelled(self, dataset: Dataset) -> bool:
        """Whether its inputs have labels."""
        return False

    def count(self, dataset: Dataset) -> int:
        """How many inputs there are."""
        ...

    def last_batch(self, dataset: Dataset, batch_size: int) -> int:
        """How many inputs the last batch of an epoch has."""
        count = self.count(dataset)
        rest = count % batch_size
        return rest if rest > 1 else min(batch_size, count)  # a lone one joins the batch before

    def passes(self, dataset: Dataset) -> int:
        """How often an epoch goes through them: for `epoch_size` inputs, to the nearest."""
        if self.epoch_size is None:
            return 1
        return max(round(self.epoch_size / self.count(dataset)), 1)

    def lacking(self, dataset: Dataset) -> list[int]:
        """Classes that the training set has and these inputs have not, as far as labels tell."""
        return []

    def alone(self) -> "Transfer":
        """What the student learns from without the teacher: the same inputs, or as many data."""
        return self

    def steps(self, epochs: int) -> list[Sweeps]:
        """The sweeps of a teacher's chains that so many epochs take, for `kdistill check`."""
        return []

    def stream(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        sampler: object = None,
    ) -> Stream:
        """The examples, shuffled by `seed`. `sampler`: the teacher's model, for what consists of
        its samples."""
        examples, passes = self.examples(dataset), self.passes(dataset)
        return EpochStream(examples, batch_size, seed, device, passes=passes)


class TrainingSet(Transfer):
    """The training set, or part of it: some classes left out, then a random fraction kept.

    `omit_classes` are labels or names; `size` >= 1 keeps so many instead of a fraction. A smaller
    part of the same `seed` lies within a larger; where examples are parts of recordings, say
    (Examples.group), these are drawn whole, but for the last one. epoch_size >= 1: the inputs of an
    epoch, to the nearest number of whole passes; None: one pass.
    """

    def __init__(
        self,
        fraction: float = 1.0,
        omit_classes: Sequence[int | str] = (),
        augmentation: Sequence[Augmentation] = (),
        seed: int = 0,
        size: int | None = None,
        epoch_size: int | None = None,
    ) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must be in (0, 1], got {fraction}")
        check_counts(size=size, epoch_size=epoch_size)
        if size is not None and fraction < 1:
            raise ValueError(f"fraction must be 1 where a size is given, got {fraction}")
        self.fraction, self.size, self.epoch_size, self.seed = fraction, size, epoch_size, seed
        self.omit_classes, self.augmentation = omit_classes, augmentation
        self.fresh = bool(augmentation)

    def examples(self, dataset: Dataset) -> Examples:
        """Examples of dataset.train in their order; UserError for an unknown class or none left."""
        rows = self._rows(dataset)
        return dataset.train if len(rows) == len(dataset.train) else dataset.train.take(rows)

    def check(self, dataset: Dataset) -> None:
        """Chooses the examples, and augments a blank input."""
        self._rows(dataset)
        one = blank(dataset.inputs, 1)
        for augment in self.augmentation:
            augment(one, torch.zeros(1, dtype=torch.int64))

    def labelled(self, dataset: Dataset) -> bool:
        """Whether the training set has labels."""
        return dataset.train.targets is not None

    def stream(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        sampler: object = None,
    ) -> EpochStream:
        """The examples, shuffled by `seed` and augmented; fresh where there is augmentation."""
        examples, passes = self.examples(dataset), self.passes(dataset)
        return EpochStream(examples, batch_size, seed, device, self.augmentation, passes=passes)

    def count(self, dataset: Dataset) -> int:
        """Of its examples."""
        return len(self._rows(dataset))

    def lacking(self, dataset: Dataset) -> list[int]:
        """Classes that no example kept is of."""
        labels = labels_of(dataset.train)
        if labels is None:
            return []
        kept = labels[self._rows(dataset)]
        counts = [part.bincount(minlength=len(dataset.classes)) for part in (labels, kept)]
        found: list[int] = ((counts[0] > 0) & (counts[1] == 0)).nonzero().flatten().tolist()
        return found

    def _rows(self, dataset: Dataset) -> Tensor:
        """Rows [kept] int64 of the training set, ascending; no input is touched."""
        whole = dataset.train
        if not len(whole):
            raise UserError(
                "transfer: there are no training data; set transfer=teacher_samples baseline=false"
            )
        rows = (
            self._kept(labels_of(whole), dataset) if self.omit_classes else torch.arange(len(whole))
        )
        count = self.size or max(round(self.fraction * len(rows)), 1)
        if count > len(rows):
            raise UserError(f"transfer.size must be <= {len(rows)} here, got {count}")
        if count == len(rows):
            return rows
        drawn = whole.index if whole.group is None else whole.group
        lots = sample_keys(self.seed, 0, drawn[rows], purpose_of("fraction"))
        return rows[lots.argsort(stable=True)[:count].sort().values]

    def _kept(self, labels: Tensor | None, dataset: Dataset) -> Tensor:
        omitted = torch.tensor(
            [label_of(one, dataset.classes, "transfer.omit_classes") for one in self.omit_classes]
        )
        if labels is None:
            raise UserError(
                f"transfer.omit_classes needs labels, and the training set of {dataset.name} "
                "has none; use transfer.omit_classes=[]"
            )
        rows = (~torch.isin(labels, omitted)).nonzero().flatten()
        if len(rows) == 0:
            raise UserError("transfer.omit_classes leaves no training example; omit fewer classes")
        return rows


def check_counts(**counts: int | None) -> None:
    """ValueError naming one that is not >= 1."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} must be >= 1, got {value}")
