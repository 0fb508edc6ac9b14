"""The classes of a user's own data: as they are named, or counted in the labels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kdistill.errors import UserError

MOST = 1_000_000  # classes that may be asked for where examples are fewer
FEW = 20  # classes that a trial with a handful of examples may have


def class_names(classes: int | list[str], examples: int) -> tuple[str, ...]:
    """Names in the order of the labels: those given, or as many numbers.

    UserError when there are not two, or more numbers than `examples` and MOST, which is beyond
    every published set of classes: the names of 10^8 classes alone would take 8 GB.
    """
    if isinstance(classes, list):
        names = tuple(map(str, classes))
        if len(set(names)) < len(names):
            raise UserError(f"dataset.classes: the names must differ, got {', '.join(names)}")
    elif classes > max(examples, MOST):
        raise UserError(
            f"dataset.classes: {classes} are more than {examples} examples can have; "
            "give the number of different labels"
        )
    else:
        names = tuple(map(str, range(classes)))
    if len(names) < 2:
        raise UserError(f"dataset.classes: two or more classes are needed, got {len(names)}")
    return names


def counted(name: str, labels: Tensor, others: Sequence[Tensor]) -> int:
    """One more than the largest of `labels`, which are called `name`.

    UserError naming that label where more than FEW classes cannot be meant: most of them have no
    example, neither in `labels` nor in `others` (a mistyped label, an id, 255 for "none"), or each
    example in `labels` has a class of its own (a column of ids).
    """
    row = int(labels.argmax())
    count = int(labels[row]) + 1
    if count <= FEW:
        return count
    found = int((torch.unique(torch.cat([labels, *others])) < count).sum())
    if 2 * found < count:
        why = f"of {count} classes only {found} would have an example"
    elif len(torch.unique(labels)) == len(labels):
        why = f"all {len(labels)} labels differ, as ids do"
    else:
        return count
    raise UserError(
        f"{name}[{row}] is {count - 1}, and {why}; mend the labels, or say how many classes there "
        "are with dataset.classes"
    )
