"""Unlabelled: inputs of a user's own, from a file, to ask the teacher about."""

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from kdistill.artifacts.files import fingerprint
from kdistill.data.arrays import check_bits, checked_inputs
from kdistill.data.batch import Dataset, Examples
from kdistill.data.tensors import read_arrays
from kdistill.data.transfer import Transfer, check_counts
from kdistill.errors import UserError


class Unlabelled(Transfer):
    """The array `inputs` [n, *input] of a .npz or .safetensors file: uint8 pixels, or floats as
    models read them; the first `size` >= 1 of them, or all. epoch_size: see TrainingSet.

    Hinton et al. 2015, section 2: "the transfer set ... could consist entirely of unlabeled data".
    """

    fresh = False

    def __init__(self, path: str, size: int | None = None, epoch_size: int | None = None) -> None:
        check_counts(size=size, epoch_size=epoch_size)
        self.path = Path(path).expanduser()
        self.size, self.epoch_size = size, epoch_size

    @cached_property
    def _inputs(self) -> Tensor:
        arrays = read_arrays(self.path, "transfer.path")
        if "inputs" not in arrays:
            raise UserError(
                f"{self.path}: no array inputs in it; it holds "
                f"{', '.join(sorted(arrays)) or 'nothing'}"
            )
        inputs = checked_inputs(f"{self.path}: inputs", arrays["inputs"])
        if self.size and self.size > len(inputs):
            raise UserError(f"transfer.size must be <= {len(inputs)} here, got {self.size}")
        return inputs

    @cached_property
    def _origin(self) -> str:
        return f"inputs {fingerprint(self._inputs)}"

    def examples(self, dataset: Dataset) -> Examples:
        """In the order of the file; answers about the first ones serve all of them."""
        index = torch.arange(self.count(dataset))
        return Examples(self._inputs[: self.size], None, index, origin=self._origin)

    def check(self, dataset: Dataset) -> None:
        """Reads the file; refuses inputs of another shape than the data set's, and, of a density,
        others than bits."""
        name, shape = f"{self.path}: inputs", tuple(self._inputs.shape[1:])
        if shape != tuple(dataset.input_shape):
            raise UserError(
                f"{name} are {[*shape]} each, and those of {dataset.name} {[*dataset.input_shape]}"
            )
        if not dataset.classes:
            check_bits(self._inputs, name)

    def count(self, dataset: Dataset) -> int:
        """In the file, or `size`."""
        return self.size or len(self._inputs)
