"""Batch: what the models are asked about, and Examples and Dataset: where batches come from.

>>> texts = {"tokens": torch.tensor([[7, 2], [5, 0], [3, 3]])}
>>> examples = Examples(texts, torch.tensor([1, 0, 1]), torch.arange(3))
>>> some = examples.take(torch.tensor([2, 0]))
>>> some.index, some.targets
(tensor([2, 0]), tensor([1, 1]))
>>> batch = Batch(some.inputs, some.targets, index=some.index)
>>> len(batch), batch.inputs["tokens"][0]
(2, tensor([3, 3]))
"""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from kdistill.data.spec import Spec
from kdistill.data.tree import Tree, count, moved, rows


@dataclass(frozen=True)
class Batch:
    """Inputs in the data's own units (uint8 pixels stay uint8: models do their preprocessing)."""

    inputs: Tree  # [batch, ...]
    targets: Tree | None = None  # what is right: a class [batch] int64, say
    _: KW_ONLY
    mask: Tensor | None = None  # [batch, *positions] bool: the positions that count; None: all
    index: Tensor | None = None  # [batch] int64, position in `part`; None: generated inputs
    part: str = ""  # see Examples
    key: Tensor | None = None  # [batch] int64, the root of all randomness of each sample
    share: float = 1.0  # of what counts in the whole batch, where several processes divide it
    sampled: Tensor | None = None  # [batch] bool: rows drawn from the model that is trained

    def __len__(self) -> int:
        return count(self.inputs)

    @property
    def weight(self) -> int | Tensor:
        """How many samples count, or positions under a mask (on the device): none where the batch
        had fewer samples than processes."""
        if not self.share:
            return 0
        return len(self) if self.mask is None else self.mask.sum()

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device` (asynchronous from pinned memory)."""
        return replace(
            self,
            inputs=moved(self.inputs, device),
            targets=moved(self.targets, device),
            mask=moved(self.mask, device),
            index=moved(self.index, device),
            key=moved(self.key, device),
            sampled=moved(self.sampled, device),
        )


class Reader(Protocol):
    """Inputs that are read one by one because they do not fit: a map-style torch data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Tree: ...


@dataclass(frozen=True)
class Examples:
    """One part of a data set: resident inputs, or a reader that worker processes stream from."""

    inputs: Tree | Reader  # [n, ...] in the data's own units
    targets: Tree | None  # [n, ...]; None: unlabelled
    index: Tensor  # [n] int64, positions in the part of the data set that these were split from
    _: KW_ONLY
    mask: Tensor | None = None  # [n, *positions] bool: the positions that count; None: all
    # train | validation | test: what `index` counts in, so that validation examples which were held
    # out from the training set say train; "" where they are of no data set
    part: str = ""
    workers: int = 0  # processes that read ahead, where inputs are a reader
    origin: str = ""  # names what `index` counts; answers are stored only where it is given
    group: Tensor | None = None  # [n] int64: the recording, say, that each is a part of

    def __len__(self) -> int:
        return len(self.index)

    def take(self, chosen: Tensor) -> "Examples":
        """The examples at `chosen` ([m] int64); they keep their `index` and `group`."""
        if isinstance(self.inputs, (Tensor, Mapping)):
            inputs: Tree | Reader = rows(self.inputs, chosen)
        else:
            inputs = torch.utils.data.Subset(self.inputs, chosen.tolist())  # type: ignore[arg-type]
        return replace(
            self,
            inputs=inputs,
            targets=rows(self.targets, chosen),
            mask=rows(self.mask, chosen),
            index=rows(self.index, chosen),
            group=rows(self.group, chosen),
        )


@dataclass(frozen=True)
class Dataset:
    """A data set in three parts. Test data choose nothing; `validation` may be empty."""

    name: str
    source: str  # files | download | bundled | memory
    fingerprint: str  # hash of the bytes and of the split
    inputs: Spec  # of one input
    targets: Spec | None  # of its target; None: there is nothing to be right about
    classes: tuple[str, ...]  # names in the order of the labels
    train: Examples
    validation: Examples
    test: Examples
    note: str = ""  # one sentence that every report repeats: what these data are and are not
    warnings: tuple[str, ...] = field(default=())  # what the user must know (a fallback, say)


class Stream(Protocol):
    """An endless supply of batches; `len` of them make an epoch."""

    fresh: bool  # True: inputs are new each time, so a teacher must answer live

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...

    def __next__(self) -> Batch: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def shared(self, rank: int, world: int) -> "Stream":
        """Itself, from now on giving each of `world` processes its part of every batch."""
        ...
