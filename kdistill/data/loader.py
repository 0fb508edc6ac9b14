"""A user's own DataLoader in place of the training set, always asked live."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.randomness import sample_keys
from kdistill.data.streams import shared
from kdistill.data.transfer import Transfer
from kdistill.errors import UserError


class LoaderStream:
    """A user's own DataLoader, whose items are inputs or (inputs, labels); always fresh.

    Samples have no index, and their keys count on. A resumed stream skips what was done of the
    epoch; it goes on exactly if the loader gives the same order again.
    """

    fresh = True

    def __init__(self, loader: Iterable[Any], device: torch.device, seed: int = 0) -> None:
        if not hasattr(loader, "__len__"):
            raise UserError("the loader has no length; give its data set a __len__")
        self._loader, self._device, self._seed = loader, device, seed
        self._epoch, self._position, self._samples = 0, 0, 0
        self._rank, self._world = 0, 1
        self._items: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._items is None:
            self._items = islice(iter(self._loader), self._position, None)
        item = next(self._items, None)
        if item is None:
            if self._position == 0:
                raise UserError("the loader is empty")
            self._epoch, self._position, self._items = self._epoch + 1, 0, None
            return next(self)
        batch = batch_of(item)
        index = torch.arange(self._samples, self._samples + len(batch))
        self._position, self._samples = self._position + 1, self._samples + len(batch)
        part, share = shared(0, len(batch), self._rank, self._world)
        return Batch(
            batch.inputs[part],
            None if batch.labels is None else batch.labels[part],
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
        self.fresh = True

    def examples(self, dataset: Dataset) -> Examples:
        """Those of dataset.train: the loader's own have no position that could be stored."""
        return dataset.train

    def labelled(self, dataset: Dataset) -> bool:
        """Whether the loader's first item has labels."""
        return batch_of(next(iter(self._loader))).labels is not None

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
        return LoaderStream(self._loader, device, seed)


def batch_of(item: Any) -> Batch:
    """The batch that a loader's item is: inputs or (inputs, labels); UserError for others."""
    if isinstance(item, Tensor):
        return Batch(item)
    if isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], Tensor):
        return Batch(item[0], torch.as_tensor(item[1], dtype=torch.int64))
    raise UserError(
        f"the loader must yield inputs or (inputs, labels) as tensors, got {type(item).__name__}"
    )
