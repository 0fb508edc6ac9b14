"""A user's own arrays: from a .npz or .safetensors file, or handed over by a library call."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kdistill.artifacts.arrays import read_npz, read_tensors
from kdistill.artifacts.memory import check_room
from kdistill.data.arrays import (
    check_range,
    checked_inputs,
    checked_labels,
    same_kind,
)
from kdistill.data.batch import Dataset
from kdistill.data.class_names import class_names, counted
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import spec_of
from kdistill.data.split import Part, check_validation, held_out, resident
from kdistill.errors import UserError

Array = Tensor | NDArray[np.generic]


class TensorFile:
    """Arrays train_inputs, train_labels, test_inputs, test_labels, perhaps validation_*.

    Without train_labels the training set is unlabelled, and `classes` must be given: a number, or
    the names in the order of the labels; null counts them in train_labels.
    """

    def __init__(
        self,
        path: str,
        classes: int | list[str] | None,
        validation: int | float,
        split_seed: int,
    ) -> None:
        check_validation(validation)
        self.path = Path(path).expanduser()
        self.classes, self.validation, self.split_seed = classes, validation, split_seed

    def plan(self) -> DatasetPlan:
        """The plan; it reads and checks the whole file, which has no cheaper header."""
        return _plan(self.path.stem, "files", *self._parts())

    def load(self) -> Dataset:
        """The arrays; UserError naming the array and the file for whatever is wrong in them."""
        classes, train, test, validation = self._parts()
        plan = _plan(self.path.stem, "files", classes, train, test, validation)
        return resident(plan, train, test, validation, self.split_seed)

    def _parts(self) -> tuple[tuple[str, ...], Part, Part, Part | int | float]:
        arrays = read_arrays(self.path, "dataset.path")
        if missing := {"train_inputs", "test_inputs", "test_labels"} - set(arrays):
            raise UserError(
                f"{self.path}: no array {' or '.join(sorted(missing))} in it; it holds "
                f"{', '.join(sorted(arrays)) or 'nothing'}"
            )
        pairs = {
            part: (arrays[f"{part}_inputs"], arrays.get(f"{part}_labels"))
            for part in ("train", "test", "validation")
            if f"{part}_inputs" in arrays
        }
        return _checked(pairs, self.classes, self.validation, f"{self.path}: ")


def from_tensors(
    train: tuple[Array, Array | None] | None,
    test: tuple[Array, Array],
    validation: tuple[Array, Array] | int | float | None = None,
    classes: int | list[str] | None = None,
    name: str = "tensors",
) -> Dataset:
    """A data set from (inputs [n, ...] uint8 or floating, labels [n] integers) pairs.

    `train`: None where a loader gives the training data. `validation`: a pair, or how many (what
    fraction) of the training examples to hold out. `classes`: a number or names; None counts them
    in the training labels, or else in the test labels. UserError as for files.
    """
    pairs: dict[str, tuple[Array, Array | None]] = {"test": test}
    if train is not None:
        pairs["train"] = train
    held: int | float = 0
    if isinstance(validation, (tuple, list)):
        pairs["validation"] = validation[0], validation[1]
    elif validation is not None:
        check_validation(validation)
        held = validation
    parts = _checked(pairs, classes, held, "")
    return resident(_plan(name, "memory", *parts), *parts[1:], split_seed=0)


def _checked(
    pairs: dict[str, tuple[Array, Array | None]],
    classes: int | list[str] | None,
    held: int | float,
    where: str,
) -> tuple[tuple[str, ...], Part, Part, Part | int | float]:
    """(class names, train, test, validation), every array checked; `where` opens the errors."""
    parts: dict[str, Part] = {}
    for part, (inputs, labels) in pairs.items():
        kept = checked_inputs(f"{where}{part}_inputs", inputs)
        if labels is None and part != "train":
            raise UserError(f"{where}no {part}_labels; only training data may be unlabelled")
        name = f"{where}{part}_labels"
        parts[part] = kept, None if labels is None else checked_labels(name, labels, len(kept))
    first = "train" if "train" in parts else "test"
    names, origin = _classes(classes, parts, first, where)
    for part, (inputs, labels) in parts.items():
        same_kind(f"{where}{part}_inputs", inputs, f"{first}_inputs", parts[first][0])
        if labels is not None:
            check_range(f"{where}{part}_labels", labels, len(names), origin)
    test, test_labels = parts["test"]
    none = test[:0], None if test_labels is None else test_labels[:0]
    return names, parts.get("train", none), parts["test"], parts.get("validation", held)


def _classes(
    classes: int | list[str] | None, parts: dict[str, Part], first: str, where: str
) -> tuple[tuple[str, ...], str]:
    """(names, where their number is from): as given, or counted in the labels of `first`."""
    examples = sum(len(inputs) for inputs, _ in parts.values())
    if classes is not None:
        return class_names(classes, examples), "dataset.classes"
    labels = parts[first][1]
    if labels is None:
        raise UserError(f"{where}dataset.classes must be given where there are no train_labels")
    others = [other for part, (_, other) in parts.items() if part != first and other is not None]
    number = counted(f"{where}{first}_labels", labels, others)
    return class_names(number, examples), f"counted in {first}_labels"


def _plan(
    name: str,
    source: str,
    classes: tuple[str, ...],
    train: Part,
    test: Part,
    validation: Part | int | float,
) -> DatasetPlan:
    parts, kept = [train, test], len(train[0])
    if isinstance(validation, tuple):
        parts.append(validation)
        held = len(validation[0])
    else:
        held = held_out(validation, kept) if validation else 0
        kept -= held
    return DatasetPlan(
        name=name,
        source=source,
        inputs=spec_of(train[0]),
        classes=classes,
        train=kept,
        validation=held,
        test=len(test[0]),
        bytes=sum(inputs.numel() * inputs.element_size() for inputs, _ in parts),
    )


def read_arrays(path: Path, key: str) -> dict[str, Array]:
    """The arrays of a .npz or .safetensors file that the config names under `key`."""
    if path.suffix == ".safetensors":
        arrays = read_tensors(path)
        check_room(path, sum(each.numel() * each.element_size() for each in arrays.values()))
        return dict(arrays)
    if path.suffix != ".npz":
        raise UserError(f"{key}={path}: must end in .npz or .safetensors")
    if not os.path.exists(path):  # also for what no path can be
        raise UserError(f"{key}={path}: no such file in {Path.cwd()}")
    return dict(read_npz(path))
