"""Labels: the classes of examples, and the class that a user means."""

from collections.abc import Sequence

from torch import Tensor

from kdistill.data.batch import Examples
from kdistill.data.tree import single
from kdistill.errors import UserError, did_you_mean


def labels_of(examples: Examples) -> Tensor | None:
    """The classes [n] int64 of examples that have one each; None of unlabelled ones."""
    return None if examples.targets is None else single(examples.targets)


def label_of(named: int | str, classes: Sequence[str], key: str) -> int:
    """The label of the class `named`, names before labels; UserError, naming `key`, for none."""
    if named in classes:
        return classes.index(str(named))
    if isinstance(named, int) and 0 <= named < len(classes):
        return named
    hint = did_you_mean(str(named), classes) or f": {', '.join(classes[:20])}"
    raise UserError(
        f"{key}: no class {named!r} among the {len(classes)} (labels 0..{len(classes) - 1}){hint}"
    )
