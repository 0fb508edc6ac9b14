"""Unlabelled: inputs of a user's own, from a file, to ask the teacher about."""

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from kdistill.artifacts.files import fingerprint
from kdistill.data.arrays import check_bits, checked_inputs, tensor_of
from kdistill.data.batch import Dataset, Examples
from kdistill.data.spec import Array, check_like
from kdistill.data.tensors import read_arrays
from kdistill.data.transfer import Transfer, check_counts
from kdistill.data.tree import Tree, count, rows
from kdistill.errors import UserError


class Unlabelled(Transfer):
    """The array `inputs` [n, *input] of a .npz or .safetensors file: uint8 pixels, or floats as
    models read them; or, for data whose inputs have names, the arrays of these names. The first
    `size` >= 1 of them, or all. epoch_size: see TrainingSet.

    Hinton et al. 2015, section 2: "the transfer set ... could consist entirely of unlabeled data".
    """

    fresh = False

    def __init__(self, path: str, size: int | None = None, epoch_size: int | None = None) -> None:
        check_counts(size=size, epoch_size=epoch_size)
        self.path = Path(path).expanduser()
        self.size, self.epoch_size = size, epoch_size

    @cached_property
    def _inputs(self) -> Tree:
        """The array `inputs`; all arrays by their names where none is called that."""
        arrays = read_arrays(self.path, "transfer.path")
        if "inputs" in arrays:
            return checked_inputs(f"{self.path}: inputs", arrays["inputs"])
        return {name: tensor_of(f"{self.path}: {name}", arrays[name]) for name in sorted(arrays)}

    @cached_property
    def _origin(self) -> str:
        inputs = self._inputs
        if isinstance(inputs, Tensor):
            return f"inputs {fingerprint(inputs)}"
        return f"inputs {fingerprint([*inputs], *inputs.values())}"

    def examples(self, dataset: Dataset) -> Examples:
        """In the order of the file; answers about the first ones serve all of them."""
        index = torch.arange(self.count(dataset))
        inputs = rows(self._inputs, slice(self.size))
        return Examples(inputs, None, index, origin=self._origin)

    def check(self, dataset: Dataset) -> None:
        """Reads the file; refuses inputs of another shape than the data set's, others than bits
        where those are bits, and fewer than `size`."""
        inputs, wanted = self._inputs, dataset.inputs
        name = f"{self.path}: inputs"
        if not isinstance(wanted, Array):
            check_like(name, inputs, wanted)
        elif not isinstance(inputs, Tensor):
            held = ", ".join(inputs) or "nothing"
            raise UserError(f"{self.path}: no array inputs in it; it holds {held}")
        elif inputs.shape[1:] != wanted.shape:
            raise UserError(
                f"{name} are {[*inputs.shape[1:]]} each, and those of {dataset.name} "
                f"{[*wanted.shape]}"
            )
        elif wanted.below == 2:
            check_bits(inputs, name)
        if self.size and self.size > count(inputs):
            raise UserError(f"transfer.size must be <= {count(inputs)} here, got {self.size}")

    def count(self, dataset: Dataset) -> int:
        """In the file, or `size`."""
        return self.size or count(self._inputs)
