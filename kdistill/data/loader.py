"""A user's own DataLoader in place of the training set, always asked live."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kdistill.data.arrays import check_range, checked_labels
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.randomness import sample_keys
from kdistill.data.streams import shared
from kdistill.data.transfer import Transfer
from kdistill.data.tree import Tree, count, rows
from kdistill.errors import UserError

EMPTY = "the loader is empty; has it drop_last=True, and fewer examples than a batch?"


class LoaderStream:
    """A user's own DataLoader, whose items are inputs or (inputs, labels); always fresh.

    Samples have no index, and their keys count on. A resumed stream skips what was done of the
    epoch; it goes on exactly if the loader gives the same order again. Labels are whole numbers
    below `classes`, floats arrive as `dtype`.
    """

    fresh = True

    def __init__(
        self,
        loader: Iterable[Any],
        device: torch.device,
        classes: int,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._length = batches_in(loader)
        self._loader, self._device, self._seed = loader, device, seed
        self._classes, self._dtype = classes, dtype
        self._epoch, self._position, self._samples = 0, 0, 0
        self._rank, self._world = 0, 1
        self._items: Iterator[Any] | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._items is None:
            self._items = islice(iter(self._loader), self._position, None)
        item = next(self._items, None)
        if item is None:
            if self._position == 0:
                raise UserError(EMPTY)
            self._epoch, self._position, self._items = self._epoch + 1, 0, None
            return next(self)
        batch = batch_of(item, self._classes, self._dtype, self._position)
        index = torch.arange(self._samples, self._samples + len(batch))
        self._position, self._samples = self._position + 1, self._samples + len(batch)
        part, share = shared(0, len(batch), self._rank, self._world)
        return Batch(
            rows(batch.inputs, part),
            rows(batch.targets, part),
            key=sample_keys(self._seed, 0, index[part]),
            share=share,
        ).to(self._device)

    def shared(self, rank: int, world: int) -> "LoaderStream":
        """Itself, from now on giving each of `world` processes its part of every batch; the loader
        must give all of them the same batches."""
        self._rank, self._world = rank, world
        return self

    def state_dict(self) -> dict[str, int]:
        """{epoch, position, samples}: as EpochStream's, and the samples seen in all."""
        return {"epoch": self._epoch, "position": self._position, "samples": self._samples}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on after the batches of the epoch that were done."""
        self._epoch, self._position = state["epoch"], state["position"]
        self._samples, self._items = state["samples"], None


class LoaderSet(Transfer):
    """What a user's own DataLoader yields, always asked live; its batch size and order hold."""

    def __init__(self, loader: Iterable[Any]) -> None:
        self._loader = loader
        self._seen: Batch | None = None
        self.fresh = True

    def check(self, dataset: Dataset) -> None:
        """UserError for a loader without a length, or a first batch that cannot be learned from."""
        batches_in(self._loader)
        self._first(dataset)

    def examples(self, dataset: Dataset) -> Examples:
        """Those of dataset.train: the loader's own have no position that could be stored."""
        return dataset.train

    def labelled(self, dataset: Dataset) -> bool:
        """Whether the loader's first batch has labels."""
        return self._first(dataset).targets is not None

    def last_batch(self, dataset: Dataset, batch_size: int) -> int:
        """By what a DataLoader says of itself; else the first batch stands for all."""
        loader = self._loader
        if isinstance(loader, DataLoader) and loader.batch_size and not loader.drop_last:
            size, order = loader.batch_size, loader.sampler
            return len(order) % size or size if isinstance(order, Sized) else size
        return len(self._first(dataset))

    def count(self, dataset: Dataset) -> int:
        """Of the loader's data set; 0 where that does not say."""
        held = getattr(self._loader, "dataset", ())
        return len(held) if hasattr(held, "__len__") else 0

    def stream(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        sampler: object = None,
    ) -> LoaderStream:
        """The loader's batches as they come."""
        return LoaderStream(self._loader, device, len(dataset.classes), seed)

    def _first(self, dataset: Dataset) -> Batch:
        if self._seen is None:  # to begin a pass may start processes
            items = list(islice(iter(self._loader), 1))
            if not items:
                raise UserError(EMPTY)
            self._seen = batch_of(items[0], len(dataset.classes))
        return self._seen


def batches_in(loader: Iterable[Any]) -> int:
    """How many batches one pass through `loader` has; UserError where it does not say."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:  # of every DataLoader around a data set without a length, too
        raise UserError("the loader has no length; give its data set a __len__") from None


def batch_of(item: Any, classes: int, dtype: torch.dtype = torch.float32, place: int = 0) -> Batch:
    """The batch that a loader's item is, inputs or (inputs, labels), its floats as `dtype`.

    UserError, naming the `place` of the item, for others and for labels that are not whole numbers
    below `classes`.
    """
    inputs, *labels = item if isinstance(item, (tuple, list)) and item else (item,)
    tree = _tree(inputs, dtype)
    if tree is None or len(labels) > 1:
        raise UserError(
            "the loader must yield inputs or (inputs, labels) as tensors, got "
            f"{type(item).__name__}"
        )
    if not labels:
        return Batch(tree)
    name = f"the loader's batch {place}: labels"
    checked = checked_labels(name, _whole(name, labels[0]), count(tree))
    check_range(name, checked, classes, "those of the test set and of the teacher")
    return Batch(tree, checked)


def _tree(value: Any, dtype: torch.dtype) -> Tree | None:
    """`value` with its floats as `dtype`; None unless it is a tensor, or tensors by name."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if not isinstance(value, Mapping) or not all(isinstance(one, Tensor) for one in value.values()):
        return None
    floats = {name: one.to(dtype) for name, one in value.items() if one.is_floating_point()}
    return {**value, **floats} or None


def _whole(name: str, labels: Any) -> Any:
    """Floats that are whole numbers as int64; UserError for other floats, for each class say."""
    if not (isinstance(labels, Tensor) and labels.is_floating_point()):
        return labels
    if labels.dim() > 1:
        raise UserError(
            f"{name} must be one whole number for each input, their shape is {[*labels.shape]}; "
            "give the most probable class of soft or one-hot labels: labels.argmax(1)"
        )
    if not torch.equal(labels, labels.trunc()):
        part = float(labels[labels != labels.trunc()][0])
        raise UserError(f"{name} must be whole numbers, one is {part:g}; number classes from 0")
    return labels.long()
