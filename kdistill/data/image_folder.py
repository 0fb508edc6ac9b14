"""A user's own pictures: a folder for each class, in path/train, path/test, path/validation."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset, Examples
from kdistill.data.pictures import Pictures
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array, one_of
from kdistill.data.split import check_validation, held_out, split
from kdistill.errors import UserError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_RESIDENT_LIMIT = 2 * 2**30  # bytes: what `auto` keeps in memory

Files = dict[str, list[Path]]  # by class, in the order of the labels


class ImageFolder:
    """Labels follow the names of the class folders; path/validation may be left out."""

    def __init__(
        self,
        path: str,
        size: list[int],
        channels: int,
        resident: Literal["auto"] | bool,
        workers: int,
        validation: int | float,
        split_seed: int,
    ) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size must be [height, width], each >= 1, got {size}")
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, got {channels}")
        if resident not in ("auto", True, False):
            raise ValueError(f"resident must be auto, true or false, got {resident!r}")
        if workers < 0:
            raise ValueError(f"workers must be >= 0, got {workers}")
        check_validation(validation)
        self.path, self.size, self.channels = Path(path).expanduser(), (size[0], size[1]), channels
        self.resident, self.workers = resident, workers
        self.validation, self.split_seed = validation, split_seed

    def plan(self) -> DatasetPlan:
        """The plan, from the names of the files; no picture is opened."""
        return self._plan(self._parts())

    def load(self) -> Dataset:
        """The pictures, in memory or to be read; UserError for what is missing or damaged."""
        parts = self._parts()
        plan = self._plan(parts)
        examples = {
            name: self._examples(files, name, plan.bytes > 0) for name, files in parts.items()
        }
        train, validation = examples["train"], examples.get("validation")
        if validation is None:
            train, validation = split(train, self.validation, self.split_seed)
        name = self._fingerprint(parts)
        return Dataset(
            name=plan.name,
            source=plan.source,
            fingerprint=name,
            inputs=plan.inputs,
            targets=one_of(plan.classes),
            classes=plan.classes,
            train=replace(train, origin=name),
            validation=validation,
            test=examples["test"],
        )

    def _parts(self) -> dict[str, Files]:
        names = ["train", "test"]
        if (self.path / "validation").is_dir():
            names.append("validation")
        parts = {name: _by_class(self.path / name) for name in names}
        for name, files in parts.items():
            for odd in sorted(set(files) ^ set(parts["train"])):
                has, lacks = (name, "train") if odd in files else ("train", name)
                raise UserError(
                    f"{self.path.absolute()}: {has} has a class folder {odd!r} and {lacks} has "
                    "none; every part needs the same class folders"
                )
        return parts

    def _plan(self, parts: dict[str, Files]) -> DatasetPlan:
        counts = {name: sum(map(len, files.values())) for name, files in parts.items()}
        size = sum(counts.values()) * self.channels * self.size[0] * self.size[1]
        if "validation" not in counts:
            counts["validation"] = held_out(self.validation, counts["train"])
            counts["train"] -= counts["validation"]
        fits = size <= _RESIDENT_LIMIT if self.resident == "auto" else self.resident
        return DatasetPlan(
            name=self.path.absolute().name,
            source="files",
            inputs=Array((self.channels, *self.size), torch.uint8),
            classes=tuple(parts["train"]),
            bytes=size if fits else 0,
            train=counts["train"],
            validation=counts["validation"],
            test=counts["test"],
        )

    def _examples(self, files: Files, part: str, in_memory: bool) -> Examples:
        pictures = Pictures([file for group in files.values() for file in group], *self._format())
        counts = torch.tensor([len(group) for group in files.values()])
        return Examples(
            inputs=pictures.all(self.workers) if in_memory else pictures,
            targets=torch.arange(len(counts)).repeat_interleave(counts),
            index=torch.arange(len(pictures)),
            part=part,
            workers=0 if in_memory else self.workers,
        )

    def _format(self) -> tuple[tuple[int, int], int]:
        return self.size, self.channels

    def _fingerprint(self, parts: dict[str, Files]) -> str:
        """Names, sizes and times instead of bytes: reading all pictures would take too long."""
        listed = [
            [str(file.relative_to(self.path)), file.stat().st_size, file.stat().st_mtime_ns]
            for files in parts.values()
            for group in files.values()
            for file in group
        ]
        how = None if "validation" in parts else [self.validation, self.split_seed]
        return fingerprint(listed, self._format(), how)


def _by_class(folder: Path) -> Files:
    """The image files of each class folder; UserError when a folder is missing or empty."""
    if not folder.is_dir():
        raise UserError(
            f"{folder.absolute()}: no such folder; dataset.path must hold train/<class>/*.png "
            "and test/<class>/*.png (or .jpg ...)"
        )
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and _shown(entry))
    files = {one.name: sorted(filter(_is_picture, one.rglob("*"))) for one in classes}
    if len(files) < 2:
        raise UserError(f"{folder.absolute()}: needs a folder for each of two or more classes")
    for name, group in files.items():
        if not group:
            raise UserError(f"{(folder / name).absolute()}: no image files in it")
    return files


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in _SUFFIXES and _shown(file) and file.is_file()


def _shown(entry: Path) -> bool:
    return not entry.name.startswith(".")  # macOS leaves ._picture.jpg beside picture.jpg
