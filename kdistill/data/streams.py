"""Streams: a data set in the order of (seed, epoch), or once in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Batch, Examples
from kdistill.data.randomness import purpose_of, sample_keys
from kdistill.data.reading import read_ahead
from kdistill.data.tree import Tree, copied, moved, rows
from kdistill.errors import UserError


@dataclass(frozen=True)
class _Epoch:
    """One pass, laid out beforehand on the device, so that a batch is a slice."""

    rows: Tensor  # [n] int64, in the order of the epoch; on the CPU where inputs are read
    targets: Tree | None
    mask: Tensor | None
    index: Tensor
    key: Tensor
    shares: list[float] | None  # of each batch, where there is a mask


@dataclass(frozen=True)
class Order:
    """The order of every epoch. Apart from the stream, whose reading must not refer back to it:
    a cycle would keep worker processes alive until the garbage collector comes by."""

    count: int
    batch_size: int
    seed: int
    shuffle: bool
    rank: int = 0
    world: int = 1

    def rows(self, epoch: int) -> Tensor:
        """[count] int64 on the CPU, so that every device sees the same order."""
        rows = torch.arange(self.count)
        if not self.shuffle:
            return rows
        return sample_keys(self.seed, epoch, rows, purpose_of("order")).argsort(stable=True)

    def __len__(self) -> int:
        """Batches of an epoch. A lone last example joins the batch before: BatchNorm needs two."""
        whole, rest = divmod(self.count, self.batch_size)
        return whole if whole and rest <= 1 and self.batch_size > 1 else whole + (rest > 0)

    def part(self, position: int) -> tuple[slice, float]:
        """Where in the epoch this process' share of that batch lies, and how much of it it is."""
        first, last = position * self.batch_size, position == len(self) - 1
        end = self.count if last else first + self.batch_size
        return shared(first, end, self.rank, self.world)

    def shares(self, unmasked: Tensor) -> list[float]:
        """How much this process has of the positions that count in each batch; `unmasked` [count]
        says how many each example of the epoch has."""
        before = [0, *unmasked.cumsum(0).tolist()]
        bounds = [*range(0, len(self) * self.batch_size, self.batch_size), self.count]
        found = []
        for position, (first, end) in enumerate(pairwise(bounds)):
            (mine, share), whole = self.part(position), before[end] - before[first]
            counts = before[mine.stop] - before[mine.start] if share else 0
            found.append(counts / whole if whole else 0.0)
        return found

    def batches(self, epoch: int, position: int) -> Iterator[list[int]]:
        """Rows of the batches from there on, without an end."""
        while True:
            rows = self.rows(epoch)
            yield from (rows[self.part(at)[0]].tolist() for at in range(position, len(self)))
            epoch, position = epoch + 1, 0


class EpochStream:
    """Examples in batches, shuffled anew each pass; the last batch of a pass may be smaller.

    An epoch is `passes` of them; where this class says epoch, it counts passes. Order, keys and
    augmentation depend on (seed, epoch, index) alone: the same from resident inputs and from a
    reader, for any number of processes that read ahead.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        seed: int,
        device: torch.device,
        augmentation: Sequence[Augmentation] = (),
        shuffle: bool = True,
        passes: int = 1,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        if len(examples) == 0:
            raise UserError("there are no examples to stream")
        self.fresh, self._passes = bool(augmentation), passes
        self._resident = isinstance(examples.inputs, (Tensor, Mapping))
        self._examples = _on_device(examples, device)
        self._index, self._seed, self._device = examples.index, seed, device
        mask = examples.mask
        self._unmasked = None if mask is None else mask.reshape(len(mask), -1).sum(dim=1)
        self._augmentation = augmentation
        self._order = Order(len(examples), batch_size, seed, shuffle)
        self._epoch, self._position = 0, 0
        self._laid_out: _Epoch | None = None
        self._read: Iterator[Tree] | None = None

    def __len__(self) -> int:
        return len(self._order) * self._passes

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._position == len(self._order):
            self._epoch, self._position = self._epoch + 1, 0
        if self._position == 0 or self._laid_out is None:
            self._laid_out = self._lay_out(self._epoch)
        laid_out = self._laid_out
        part, share = self._order.part(self._position)
        if laid_out.shares is not None:
            share = laid_out.shares[self._position]
        inputs, key = self._inputs(laid_out.rows[part]), laid_out.key[part]
        for augment in self._augmentation:
            inputs = augment(inputs, key)
        self._position += 1
        return Batch(
            inputs,
            rows(laid_out.targets, part),
            mask=None if laid_out.mask is None else laid_out.mask[part],
            index=laid_out.index[part],
            part=self._examples.part,
            key=key,
            share=share,
        )

    def shared(self, rank: int, world: int) -> "EpochStream":
        """Itself, from now on giving each of `world` processes its part of every batch."""
        self._order = replace(self._order, rank=rank, world=world)
        self._laid_out, self._read = None, None
        return self

    def state_dict(self) -> dict[str, int]:
        """{epoch, position}: the pass at hand (from 0) and the batches of it that are done."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on exactly where the stream of that state was."""
        self._epoch, self._position = state["epoch"], state["position"]
        self._laid_out, self._read = None, None

    def _lay_out(self, epoch: int) -> _Epoch:
        order = self._order.rows(epoch)
        here, index = order.to(self._device), self._index[order]
        key = sample_keys(self._seed, epoch, index)  # on the CPU: not every device has 64-bit words
        return _Epoch(
            rows=here if self._resident else order,
            targets=rows(self._examples.targets, here),
            mask=rows(self._examples.mask, here),
            index=index.to(self._device),
            key=key.to(self._device),
            shares=None if self._unmasked is None else self._order.shares(self._unmasked[order]),
        )

    def _inputs(self, chosen: Tensor) -> Tree:
        inputs = self._examples.inputs
        if isinstance(inputs, (Tensor, Mapping)):
            return rows(inputs, chosen)
        if self._read is None:
            batches = self._order.batches(self._epoch, self._position)
            workers, pin = self._examples.workers, self._device.type == "cuda"
            self._read = read_ahead(inputs, batches, workers, pin)
        return moved(next(self._read), self._device)


def in_order(examples: Examples, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """Every example once, in order; nothing at all when there are none."""
    if len(examples) == 0:
        return
    inputs, number = examples.inputs, len(examples)
    places = [
        slice(first, min(first + batch_size, number)) for first in range(0, number, batch_size)
    ]
    if isinstance(inputs, (Tensor, Mapping)):
        # copies: safe from `x -= mean`
        parts: Iterator[Tree] = (copied(rows(inputs, here)) for here in places)
    else:
        batches, pin = ([*range(here.start, here.stop)] for here in places), device.type == "cuda"
        parts = read_ahead(inputs, batches, examples.workers, pin)
    key = sample_keys(0, 0, examples.index)
    for here, part in zip(places, parts, strict=True):
        batch = Batch(
            part,
            rows(examples.targets, here),
            mask=rows(examples.mask, here),
            index=examples.index[here],
            part=examples.part,
            key=key[here],
        )
        yield batch.to(device)


def shared(first: int, end: int, rank: int, world: int) -> tuple[slice, float]:
    """The rows of [first, end) that fall to one of `world` processes, and their share of them.

    One that would get none gets the first row and the share 0: it must take part in every step.
    """
    count = end - first
    start, stop = first + count * rank // world, first + count * (rank + 1) // world
    if start == stop:
        return slice(first, first + 1), 0.0
    return slice(start, stop), (stop - start) / count


def _on_device(examples: Examples, device: torch.device) -> Examples:
    inputs = examples.inputs
    return replace(
        examples,
        inputs=moved(inputs, device) if isinstance(inputs, (Tensor, Mapping)) else inputs,
        targets=moved(examples.targets, device),
        mask=moved(examples.mask, device),
        index=moved(examples.index, device),
    )
