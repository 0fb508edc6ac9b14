"""Fashion-MNIST (Xiao et al. 2017): 28x28 grey clothes, 60,000 to train on, 10,000 to test."""

from dataclasses import replace

import torch

from kdistill.data.batch import Dataset
from kdistill.data.idx import idx_archive, idx_counts, read_idx
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident
from kdistill.data.torchvision_sets import check_source, expected, obtain

_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


class FashionMNIST:
    """From the files in path/FashionMNIST/raw, else downloaded."""

    def __init__(self, path: str, source: str, validation: int | float, split_seed: int) -> None:
        check_source(source, ("auto", "files", "download"))
        check_validation(validation)
        self.source, self.validation, self.split_seed = source, validation, split_seed
        self._archive = idx_archive("Fashion-MNIST", "FashionMNIST", path)

    def plan(self) -> DatasetPlan:
        """The plan, from the headers of the files; before a download, from published counts."""
        source = expected(self._archive, self.source)
        train, test = idx_counts(self._archive) if source == "files" else (60_000, 10_000)
        held = held_out(self.validation, train)
        return DatasetPlan(
            name="fashion_mnist",
            source=source,
            inputs=Array((1, 28, 28), torch.uint8),
            classes=_CLASSES,
            train=train - held,
            validation=held,
            test=test,
            bytes=(train + test) * 784,
        )

    def load(self) -> Dataset:
        """Fashion-MNIST; UserError when files are missing or damaged, or the download fails."""
        source = obtain(self._archive, self.source)
        train, test = read_idx(self._archive)
        plan = replace(self.plan(), source=source)
        return resident(plan, train, test, self.validation, self.split_seed)
