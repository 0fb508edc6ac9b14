"""CIFAR-10 (Krizhevsky 2009): 32x32 colour photographs, 50,000 to train on, 10,000 to test."""

from pathlib import Path

import torch
from torch import Tensor

from kdistill.data.batch import Dataset
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident
from kdistill.data.torchvision_sets import Archive, check_source, expected, obtain, refuse_damaged

_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_FILES = (*(f"data_batch_{part}" for part in range(1, 6)), "test_batch", "batches.meta")


class CIFAR10:
    """From the pickles in path/cifar-10-batches-py, else downloaded.

    A pickle can run code: each is opened only after its md5 proved to be the published one.
    """

    def __init__(self, path: str, source: str, validation: int | float, split_seed: int) -> None:
        check_source(source, ("auto", "files", "download"))
        check_validation(validation)
        self.source, self.validation, self.split_seed = source, validation, split_seed
        root = Path(path).expanduser()
        folder = root / "cifar-10-batches-py"
        self._archive = Archive("CIFAR-10", root, folder, _FILES, self._download)

    def plan(self) -> DatasetPlan:
        """The plan, from published counts; UserError for a damaged file (0.5 s of md5)."""
        source = expected(self._archive, self.source)
        if source == "files":
            self._check()
        return self._plan(source)

    def load(self) -> Dataset:
        """CIFAR-10; UserError when files are missing or damaged, or the download fails."""
        source = obtain(self._archive, self.source)
        plan = self._plan(source)
        train, test = self._read(train=True), self._read(train=False)
        return resident(plan, train, test, self.validation, self.split_seed)

    def _plan(self, source: str) -> DatasetPlan:
        held = held_out(self.validation, 50_000)
        return DatasetPlan(
            name="cifar10",
            source=source,
            inputs=Array((3, 32, 32), torch.uint8),
            classes=_CLASSES,
            train=50_000 - held,
            validation=held,
            test=10_000,
            bytes=60_000 * 3072,
        )

    def _check(self) -> None:
        from torchvision.datasets import CIFAR10 as Files  # takes seconds to import

        published = dict([*Files.train_list, *Files.test_list])
        published[Files.meta["filename"]] = Files.meta["md5"]
        refuse_damaged(self._archive, published)

    def _download(self) -> object:
        from torchvision.datasets import CIFAR10 as Files

        return Files(self._archive.path, download=True)

    def _read(self, train: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import CIFAR10 as Files

        try:
            files = Files(self._archive.path, train=train)  # verifies md5 before unpickling
        except RuntimeError:
            self._check()  # says which file it is
            raise
        inputs = torch.from_numpy(files.data).permute(0, 3, 1, 2).contiguous()
        return inputs, torch.tensor(files.targets)
