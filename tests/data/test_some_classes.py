"""Some classes of a data set: the right examples, numbered anew, under a name of their own."""

import pytest
import torch

from kdistill.data.digits import Digits
from kdistill.data.some_classes import SomeClasses
from kdistill.errors import UserError

WHOLE = Digits(validation=200, split_seed=0)


@pytest.mark.parametrize("classes", [[2, 7], ["7", 2, 0]], ids=str)
def test_every_part_keeps_the_chosen_ones_in_order(classes: list[int | str]) -> None:
    source = SomeClasses(WHOLE, classes)
    made, whole, plan = source.load(), WHOLE.load(), source.plan()
    assert made.classes == plan.classes == tuple(str(named) for named in classes)
    for part in ("train", "validation", "test"):
        kept, all_of_them = getattr(made, part), getattr(whole, part)
        digits = torch.tensor([int(name) for name in made.classes])[kept.targets]
        rows = [int((all_of_them.index == index).nonzero()) for index in kept.index]
        assert torch.equal(all_of_them.targets[rows], digits)
        assert torch.equal(all_of_them.inputs[rows], kept.inputs)
        expected = sum(int((all_of_them.targets == digit).sum()) for digit in digits.unique())
        assert len(kept) == expected == getattr(plan, part)


def test_other_classes_are_another_data_set() -> None:
    made = [SomeClasses(WHOLE, classes).load() for classes in ([2, 7], [7, 2], [2, 5])]
    assert len({data.fingerprint for data in made} | {WHOLE.load().fingerprint}) == 4
    assert len({data.train.origin for data in made}) == 3


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(ValueError, match="classes must be two or more"):
        SomeClasses(WHOLE, [2])
    with pytest.raises(UserError, match="names a class twice"):
        SomeClasses(WHOLE, [2, "2"]).load()
    with pytest.raises(UserError, match="dataset.classes: no class 'two' among the 10"):
        SomeClasses(WHOLE, ["two", 3]).load()
