"""Batch: what the models are asked about, and Examples and Dataset: where batches come from."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Inputs in the data's own units (uint8 pixels stay uint8: models do their preprocessing)."""

    inputs: Tensor  # [batch, ...]
    labels: Tensor | None = None  # [batch] int64
    index: Tensor | None = None  # [batch] int64, position in the data set; None: generated inputs
    key: Tensor | None = None  # [batch] int64, the root of all randomness of each sample
    share: float = 1.0  # of the samples of the whole batch, where several processes divide it
    own: Tensor | None = None  # [batch] bool: drawn from the model that is trained; None: no row

    def __len__(self) -> int:
        return self.inputs.shape[0]

    @property
    def samples(self) -> int:
        """How many samples count: none where the batch had fewer samples than processes."""
        return len(self) if self.share else 0

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device` (asynchronous from pinned memory)."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)  # type: ignore[arg-type]  # tensors, where fields are


class Reader(Protocol):
    """Inputs that are read one by one because they do not fit: a map-style torch data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Tensor: ...


@dataclass(frozen=True)
class Examples:
    """One part of a data set: resident inputs, or a reader that worker processes stream from."""

    inputs: Tensor | Reader  # [n, ...] in the data's own units
    labels: Tensor | None  # [n] int64
    index: Tensor  # [n] int64, positions in the file the part was split from
    workers: int = 0  # processes that read ahead, where inputs are a reader

    origin: str = ""  # names what `index` counts; answers are stored only where it is given
    group: Tensor | None = None  # [n] int64: the recording, say, that each is a part of

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: Tensor) -> "Examples":
        """The examples at `rows` ([m] int64); they keep their `index` and `group`."""
        if isinstance(self.inputs, Tensor):
            inputs: Tensor | Reader = self.inputs[rows]
        else:
            inputs = torch.utils.data.Subset(self.inputs, rows.tolist())  # type: ignore[arg-type]
        labels = None if self.labels is None else self.labels[rows]
        group = None if self.group is None else self.group[rows]
        return replace(self, inputs=inputs, labels=labels, index=self.index[rows], group=group)


@dataclass(frozen=True)
class Dataset:
    """A data set in three parts. Test data choose nothing; `validation` may be empty."""

    name: str
    source: str  # files | download | bundled | memory
    fingerprint: str  # hash of the bytes and of the split
    input_shape: tuple[int, ...]  # of one input, without the batch dimension
    classes: tuple[str, ...]  # names in the order of the labels
    train: Examples
    validation: Examples
    test: Examples
    note: str = ""  # one sentence that every report repeats: what these data are and are not
    warnings: tuple[str, ...] = field(default=())  # what the user must know (a fallback, say)

    def blank(self, count: int) -> Tensor:
        """`count` inputs of zeros, of the shape and kind of these data."""
        inputs = self.test.inputs
        dtype = inputs.dtype if isinstance(inputs, Tensor) else inputs[0].dtype
        return torch.zeros(count, *self.input_shape, dtype=dtype)


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
