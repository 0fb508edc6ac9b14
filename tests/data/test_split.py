"""The hold-out: disjoint, complete, by seed, and refused when nothing would be left."""

import pytest
import torch

from kdistill.data.batch import Examples
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, resident, split
from kdistill.data.streams import EpochStream, in_order
from kdistill.errors import UserError

EXAMPLES = Examples(torch.arange(50).view(50, 1), torch.arange(50) % 3, torch.arange(50) + 7)
PLAN = DatasetPlan("toy", "files", Array((1,), torch.uint8), ("a", "b", "c"), 40, 10, 2, 52)


def test_the_parts_are_disjoint_complete_and_in_file_order() -> None:
    train, validation = split(EXAMPLES, 10, seed=0)
    assert (len(train), len(validation)) == (40, 10)
    assert sorted([*train.index.tolist(), *validation.index.tolist()]) == EXAMPLES.index.tolist()
    for part in (train, validation):
        assert torch.equal(part.inputs[:, 0], part.index - 7)  # type: ignore[index]
        assert torch.equal(part.targets, (part.index - 7) % 3)
        assert part.index.tolist() == sorted(part.index.tolist())


@pytest.mark.parametrize("validation", [10, None])
def test_every_example_has_a_place_of_its_own(validation: int | None) -> None:
    """Held-out examples count in the training set that they come from."""
    arrays = torch.zeros(50, 1, dtype=torch.uint8), torch.arange(50) % 3
    made = resident(PLAN, arrays, arrays, validation or arrays, 0)
    assert [made.train.part, made.test.part] == ["train", "test"]
    assert made.validation.part == ("train" if validation else "validation")
    parts = [made.train, made.validation, made.test]
    places = [(part.part, int(index)) for part in parts for index in part.index]
    assert len({*places}) == len(places) == sum(map(len, parts))
    (batch,) = in_order(made.validation, 50, torch.device("cpu"))
    assert batch.part == made.validation.part
    assert next(EpochStream(made.test, 5, 0, torch.device("cpu"))).part == "test"


def test_the_seed_decides() -> None:
    held = [split(EXAMPLES, 10, seed)[1].index.tolist() for seed in (0, 0, 1)]
    assert held[0] == held[1]
    assert held[0] != held[2]


@pytest.mark.parametrize(("validation", "count"), [(0, 0), (0.0, 0), (0.2, 10), (49, 49), (1, 1)])
def test_counts_and_fractions(validation: float, count: int) -> None:
    assert len(split(EXAMPLES, validation, 0)[1]) == count


@pytest.mark.parametrize("validation", [50, 51, 0.999])
def test_nothing_left_is_refused(validation: float) -> None:
    with pytest.raises(UserError, match=r"dataset.validation=.* of 50 training examples"):
        split(EXAMPLES, validation, 0)


@pytest.mark.parametrize("validation", [-1, -0.1, 1.0, 5.5, float("nan")])
def test_no_count_nor_fraction(validation: float) -> None:
    with pytest.raises(ValueError, match="validation must be a count >= 0 or a fraction"):
        check_validation(validation)


def test_the_fingerprint_names_bytes_and_split() -> None:
    train = torch.arange(50).view(50, 1).to(torch.uint8), torch.arange(50) % 3
    test = torch.zeros(2, 1, dtype=torch.uint8), torch.tensor([0, 1])
    changed = train[0].clone()
    changed[7] = 99
    made = [
        resident(PLAN, train, test, 10, 0),
        resident(PLAN, train, test, 10, 0),
        resident(PLAN, train, test, 10, 1),
        resident(PLAN, train, test, 9, 0),
        resident(PLAN, (changed, train[1]), test, 10, 0),
        resident(PLAN, (train[0], train[1].flip(0)), test, 10, 0),
        resident(PLAN, train, train, 10, 0),
    ]
    names = [dataset.fingerprint for dataset in made]
    assert names[0] == names[1]
    assert len(set(names)) == 6
