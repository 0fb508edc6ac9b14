"""Reads inputs that do not fit, batch by batch, in worker processes that read ahead."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from kdistill.data.batch import Reader
from kdistill.data.tree import Tree, stacked
from kdistill.errors import UserError


def read_ahead(
    reader: Reader, batches: Iterator[list[int]], workers: int, pin: bool
) -> Iterator[Tree]:
    """Inputs [len(rows), ...] for each list of rows in `batches`, in that order.

    `pin`: into page-locked memory, from which a GPU copies without waiting. UserErrors of the
    reader arrive here as they were raised.
    """
    loader = DataLoader(
        _Caught(reader),
        batch_sampler=_Once(batches),
        num_workers=workers,
        collate_fn=_stacked,
        pin_memory=pin,
        generator=torch.Generator(),  # else the loader draws a seed from the global one
    )
    for inputs in loader:
        if isinstance(inputs, UserError):
            raise inputs
        yield inputs


class _Caught(TorchDataset[Tree | UserError]):
    """Hands a UserError over as a value: raised in a worker it would come with its traceback."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, row: int) -> Tree | UserError:
        try:
            return self._reader[row]
        except UserError as error:
            return error


class _Once:
    """An iterator as the sampler that DataLoader asks for."""

    def __init__(self, batches: Iterator[list[int]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return self._batches


def _stacked(inputs: list[Tree | UserError]) -> Tree | UserError:
    errors = [value for value in inputs if isinstance(value, UserError)]
    return errors[0] if errors else stacked([v for v in inputs if not isinstance(v, UserError)])
