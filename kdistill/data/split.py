"""Holds validation examples out of the training set, and puts the parts of a data set together."""

from dataclasses import replace

import torch
from torch import Tensor

from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset, Examples
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import one_of
from kdistill.errors import UserError

Part = tuple[Tensor, Tensor | None]  # inputs [n, ...] and labels [n] int64


def check_validation(validation: int | float) -> None:
    """Raises ValueError unless it is a count >= 0 or a fraction in [0, 1)."""
    fraction = isinstance(validation, float)
    if not validation >= 0 or (fraction and validation >= 1):  # NaN is not >= 0
        raise ValueError(
            f"validation must be a count >= 0 or a fraction in [0, 1), got {validation}"
        )


def held_out(validation: int | float, available: int) -> int:
    """How many of `available` examples are held out; UserError when none would be left."""
    count = round(validation * available) if isinstance(validation, float) else validation
    if count and count >= available:
        raise UserError(
            f"dataset.validation={validation} would hold out {count} of {available} training "
            f"examples; it must be less than {available}, or a fraction in [0, 1)"
        )
    return count


def split(examples: Examples, validation: int | float, seed: int) -> tuple[Examples, Examples]:
    """(train, validation): a random count or fraction held out by `seed`, both in file order."""
    kept, held = drawn(held_out(validation, len(examples)), len(examples), seed)
    return examples.take(kept), examples.take(held)


def drawn(count: int, available: int, seed: int) -> tuple[Tensor, Tensor]:
    """(kept, held): the numbers below `available`, `count` of them held, both in order."""
    order = torch.randperm(available, generator=torch.Generator().manual_seed(seed))
    return order[count:].sort().values, order[:count].sort().values


def examples_of(arrays: Part, part: str) -> Examples:
    """The examples of one file, numbered from 0; `part`: see Examples."""
    return Examples(arrays[0], arrays[1], torch.arange(len(arrays[0])), part=part)


def resident(
    plan: DatasetPlan,
    train: Part,
    test: Part,
    validation: int | float | Part,
    split_seed: int,
    warnings: tuple[str, ...] = (),
) -> Dataset:
    """The data set that `plan` announced, from tensors; its fingerprint covers bytes and split."""
    parts, how = [train, test], {}
    if isinstance(validation, tuple):
        parts.append(validation)
        kept, held = examples_of(train, "train"), examples_of(validation, "validation")
    else:
        kept, held = split(examples_of(train, "train"), validation, split_seed)
        how = {"validation": len(held), "split_seed": split_seed}
    tensors = [value for part in parts for value in part if value is not None]
    name = fingerprint(*tensors, how, list(plan.classes))
    return Dataset(
        name=plan.name,
        source=plan.source,
        fingerprint=name,
        inputs=plan.inputs,
        targets=one_of(plan.classes),
        classes=plan.classes,
        train=replace(kept, origin=name),
        validation=held,
        test=examples_of(test, "test"),
        note=plan.note,
        warnings=warnings,
    )
