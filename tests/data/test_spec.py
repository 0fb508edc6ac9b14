"""Specs: what examples are made of, and what is said of those that are made otherwise."""

from collections.abc import Callable

import pytest
import torch

from kdistill.data.batch import Dataset
from kdistill.data.binarised import Binarised
from kdistill.data.digits import Digits
from kdistill.data.some_classes import SomeClasses
from kdistill.data.spec import Array, Spec, blank, check_like, numbers, spec_of
from kdistill.data.specialty import Specialty
from kdistill.data.tree import Tree, count
from kdistill.errors import UserError

PICTURE = Array((1, 4, 4), torch.uint8)
TEXT = {"tokens": Array((3,), torch.int64, below=100), "length": Array((), torch.int64)}
TOKENS = torch.zeros(2, 3, dtype=torch.int64)


@pytest.mark.parametrize("spec", [PICTURE, TEXT, Array((5,))])
def test_blank_examples_are_of_their_spec(spec: Spec) -> None:
    made = blank(spec, 7)
    assert count(made) == 7
    check_like("blank", made, spec)
    check_like("blank", made, spec_of(made))


def test_numbers_are_those_of_all_arrays() -> None:
    assert numbers(PICTURE) == 16
    assert numbers(TEXT) == 4


@pytest.mark.parametrize(
    ("tree", "spec", "message"),
    [
        (
            torch.zeros(2, 4),
            PICTURE,
            r"mine are float32 \[4\] each, they must be uint8",
        ),
        (torch.zeros(2, 1, 4, 4), PICTURE, r"mine are float32 \[1, 4, 4\] each"),
        ({"tokens": TOKENS}, TEXT, "must be the arrays tokens, length, got the arrays tokens"),
        (TOKENS, TEXT, "mine must be the arrays tokens, length, got one array"),
        ({"tokens": TOKENS}, PICTURE, "mine must be one array, got the arrays tokens"),
        (
            {"tokens": TOKENS, "length": TOKENS},
            TEXT,
            r"mine.length are int64 \[3\] each, they must be int64 \[\]",
        ),
        (
            {"tokens": TOKENS, "length": torch.zeros(3).long()},
            TEXT,
            "mine.length are 3, and mine.tokens 2",
        ),
    ],
)
def test_other_examples_are_refused_by_the_name_of_the_array(
    tree: Tree, spec: Spec, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_like("mine", tree, spec)


def _seen_by_a_specialist() -> Dataset:
    return Specialty((1, 3)).seen(Digits(100, 0).load())


@pytest.mark.parametrize(
    "load",
    [
        Digits(100, 0).load,
        Binarised(Digits(100, 0)).load,
        SomeClasses(Digits(100, 0), [7, 8]).load,
        _seen_by_a_specialist,
    ],
)
def test_a_data_set_is_what_its_specs_say(load: Callable[[], Dataset]) -> None:
    dataset = load()
    for part in (dataset.train, dataset.validation):
        check_like("inputs", part.inputs, dataset.inputs)
        if dataset.targets is None:
            assert part.targets is None
            assert dataset.inputs.below == len(part.inputs.unique()) == 2
        else:
            check_like("targets", part.targets, dataset.targets)
            assert int(part.targets.max()) < dataset.targets.below == len(dataset.classes)
