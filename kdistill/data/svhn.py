"""SVHN (Netzer et al. 2011): 32x32 colour house numbers, 73,257 to train on, 26,032 to test."""

from pathlib import Path

import torch
from torch import Tensor

from kdistill.data.batch import Dataset
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident
from kdistill.data.torchvision_sets import Archive, check_source, expected, obtain, refuse_damaged

_COUNTS = {"train": 73_257, "extra": 531_131, "test": 26_032}


class SVHN:
    """From train_32x32.mat and test_32x32.mat in `path`, else downloaded.

    `extra` adds the 531,131 easier pictures of extra_32x32.mat to the training set.
    """

    def __init__(
        self, path: str, source: str, validation: int | float, split_seed: int, extra: bool
    ) -> None:
        check_source(source, ("auto", "files", "download"))
        check_validation(validation)
        self.source, self.validation, self.split_seed = source, validation, split_seed
        self._parts = ["train", "extra"] if extra else ["train"]
        files = tuple(f"{part}_32x32.mat" for part in (*self._parts, "test"))
        root = Path(path).expanduser()
        self._archive = Archive("SVHN", root, root, files, self._download)

    def plan(self) -> DatasetPlan:
        """The plan, from published counts; UserError for a damaged file (1 s of md5)."""
        source = expected(self._archive, self.source)
        if source == "files":
            self._check()
        return self._plan(source)

    def load(self) -> Dataset:
        """SVHN; UserError when files are missing or damaged, or the download fails."""
        source = obtain(self._archive, self.source)
        plan = self._plan(source)
        inputs, labels = zip(*(self._read(part) for part in self._parts), strict=True)
        train = torch.cat(inputs), torch.cat(labels)
        return resident(plan, train, self._read("test"), self.validation, self.split_seed)

    def _plan(self, source: str) -> DatasetPlan:
        train = sum(_COUNTS[part] for part in self._parts)
        held = held_out(self.validation, train)
        return DatasetPlan(
            name="svhn",
            source=source,
            inputs=Array((3, 32, 32), torch.uint8),
            classes=tuple("0123456789"),
            train=train - held,
            validation=held,
            test=_COUNTS["test"],
            bytes=(train + _COUNTS["test"]) * 3072,
        )

    def _check(self) -> None:
        from torchvision.datasets import SVHN as Files  # takes seconds to import

        published = [Files.split_list[part] for part in (*self._parts, "test")]
        refuse_damaged(self._archive, {name: md5 for _, name, md5 in published})

    def _download(self) -> None:
        from torchvision.datasets import SVHN as Files

        for part in (*self._parts, "test"):
            Files(self._archive.path, split=part, download=True)

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import SVHN as Files

        try:
            files = Files(self._archive.path, split=part)  # verifies md5 before reading
        except RuntimeError:
            self._check()  # says which file it is
            raise
        return torch.from_numpy(files.data).contiguous(), torch.from_numpy(files.labels)
