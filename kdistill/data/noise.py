"""Noise: Gaussian inputs to ask the teacher about, where data are scarce or cannot be had."""

from math import prod

import torch

from kdistill.data.batch import Dataset, Examples
from kdistill.data.randomness import normal, purpose_of, sample_keys
from kdistill.data.spec import Array, shape_of
from kdistill.data.transfer import Transfer, check_counts
from kdistill.errors import UserError

SLICE = 4096  # inputs drawn at once, which takes several times their own memory


class Noise(Transfer):
    """`size` inputs of the data set's shape, each number drawn from N(mean, std^2), unlabelled.

    In the units that models read: for pixels, which are uint8 divided by 255, floats about [0, 1].
    size >= 1, std > 0; epoch_size: see TrainingSet. The thesis of Papamakarios 2015 uses N(0, 1).
    """

    fresh = False

    def __init__(
        self,
        size: int,
        mean: float = 0.0,
        std: float = 1.0,
        epoch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        check_counts(size=size, epoch_size=epoch_size)
        if not std > 0:
            raise ValueError(f"std must be > 0, got {std:g}")
        self.size, self.mean, self.std = size, mean, std
        self.epoch_size, self.seed = epoch_size, seed

    def examples(self, dataset: Dataset) -> Examples:
        """The same inputs each time; fewer of the same `seed` are the first of more."""
        index = torch.arange(self.size)
        shape = shape_of(dataset.inputs)
        keys = torch.split(sample_keys(self.seed, 0, index), SLICE)
        drawn = torch.cat([normal(part, prod(shape), purpose_of("noise")) for part in keys])
        inputs = (self.mean + self.std * drawn).view(self.size, *shape)
        origin = f"noise of mean {self.mean}, std {self.std}, shape {[*shape]}, seed {self.seed}"
        return Examples(inputs, None, index, origin=origin)

    def check(self, dataset: Dataset) -> None:
        """Refuse whole numbers, of which Gaussian ones are none: bits, a vocabulary."""
        inputs = dataset.inputs
        if not isinstance(inputs, Array):
            raise UserError(
                "transfer: Gaussian noise is one array of floats, and the inputs of "
                f"{dataset.name} are {', '.join(inputs)}; use transfer=train"
            )
        if inputs.below is not None:
            raise UserError(
                "transfer: Gaussian noise is not of 0 and 1, as a density's inputs are; use "
                "transfer=train or transfer=teacher_samples"
            )

    def count(self, dataset: Dataset) -> int:
        """`size`."""
        return self.size
