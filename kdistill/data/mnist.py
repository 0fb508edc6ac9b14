"""MNIST: 28x28 grey handwritten digits, 60,000 for training and 10,000 for the test."""

import logging
from dataclasses import replace

import torch

from kdistill.data import bundled_mnist
from kdistill.data.batch import Dataset
from kdistill.data.idx import idx_archive, idx_counts, read_idx
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident
from kdistill.data.torchvision_sets import check_source, expected, obtain
from kdistill.errors import UserError

_log = logging.getLogger("kdistill")


class MNIST:
    """From the files in path/MNIST/raw, else downloaded, else (`auto` only) the bundled digits."""

    def __init__(self, path: str, source: str, validation: int | float, split_seed: int) -> None:
        check_source(source, ("auto", "files", "download", "bundled"))
        check_validation(validation)
        self.source, self.validation, self.split_seed = source, validation, split_seed
        remedy = 'dataset.source=bundled (needs pip install "kdistill[offline]")'
        self._archive = idx_archive("MNIST", "MNIST", path, remedy)

    def plan(self) -> DatasetPlan:
        """The plan, from the headers of the files; before a download, from published counts."""
        if self.source == "bundled":
            return bundled_mnist.plan()
        source = expected(self._archive, self.source)
        train, test = idx_counts(self._archive) if source == "files" else (60_000, 10_000)
        held = held_out(self.validation, train)
        return DatasetPlan(
            name="mnist",
            source=source,
            inputs=Array((1, 28, 28), torch.uint8),
            classes=bundled_mnist.CLASSES,
            train=train - held,
            validation=held,
            test=test,
            bytes=(train + test) * 784,
        )

    def load(self) -> Dataset:
        """MNIST; `bundled` ignores validation and split_seed, its split is fixed."""
        if self.source == "bundled":
            return bundled_mnist.load()
        try:
            source = obtain(self._archive, self.source)
        except UserError as error:
            if self.source != "auto" or not bundled_mnist.available():
                raise
            _log.info("%s", error)
            return self._fallback()
        plan = replace(self.plan(), source=source)
        train, test = read_idx(self._archive)
        return resident(plan, train, test, self.validation, self.split_seed)

    def _fallback(self) -> Dataset:
        warning = (
            f"NOT THE FULL MNIST: {self._archive.folder.absolute()} lacks its files, and they "
            "could not be downloaded; 5,000 bundled digits are used instead"
        )
        _log.warning(warning)
        return bundled_mnist.load((warning,))
