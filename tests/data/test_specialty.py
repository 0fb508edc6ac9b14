"""A data set as the specialist of some classes sees it."""

from dataclasses import replace

import pytest
import torch

from kdistill.data.batch import Dataset
from kdistill.data.specialty import Specialty
from kdistill.data.tensors import from_tensors
from kdistill.errors import UserError


@pytest.fixture
def dataset() -> Dataset:
    """Five classes, one in ten examples of each of 1 and 3."""
    labels = torch.tensor([0, 2, 4, 0, 1, 2, 4, 0, 3, 2]).repeat(20)
    inputs = torch.arange(200.0)[:, None]
    names = ["a", "b", "c", "d", "e"]
    return from_tensors((inputs, labels), (inputs, labels), (inputs, labels), names)


def test_others_are_one_class(dataset: Dataset) -> None:
    seen = Specialty((1, 3)).seen(dataset)
    assert seen.classes == ("b", "d", "(dustbin)")
    before, after = dataset.train.targets, seen.train.targets
    assert after[before == 1].eq(0).all()
    assert after[before == 3].eq(1).all()
    assert after[(before != 1) & (before != 3)].eq(2).all()
    assert torch.equal(seen.train.inputs, dataset.train.inputs)
    assert torch.equal(seen.test.targets, dataset.test.targets)


def test_a_full_softmax_keeps_the_classes(dataset: Dataset) -> None:
    seen = Specialty((1, 3), dustbin=False).seen(dataset)
    assert seen.classes == dataset.classes
    assert torch.equal(seen.train.targets, dataset.train.targets)


@pytest.mark.parametrize("dustbin", [True, False])
def test_half_of_the_validation_examples_are_its_own(dataset: Dataset, dustbin: bool) -> None:
    special = Specialty((1, 3), dustbin)
    seen = special.seen(dataset)
    assert len(seen.validation) == 80
    assert int(special.own(seen.validation).sum()) == 40
    true = dataset.validation.targets[seen.validation.index]  # the labels at those positions
    assert torch.equal(special.own(seen.validation), special.of(true))


def test_its_share_is_that_of_the_training_examples(dataset: Dataset) -> None:
    assert Specialty((1, 3)).share(dataset) == pytest.approx(0.2)


def test_own_examples_are_known_by_their_labels(dataset: Dataset) -> None:
    for dustbin in (True, False):
        special = Specialty((1, 3), dustbin)
        own = special.own(special.seen(dataset).train)
        assert torch.equal(own, torch.isin(dataset.train.targets, torch.tensor([1, 3])))


def test_halves_that_are_missing_are_told(dataset: Dataset) -> None:
    with pytest.raises(UserError, match=r"none but training examples of the classes a, b, c, d, e"):
        Specialty((0, 1, 2, 3, 4)).seen(dataset)
    some = dataset.train.take(torch.nonzero(dataset.train.targets != 3).flatten())
    with pytest.raises(UserError, match="no training examples of the classes d; use fewer"):
        Specialty((3,)).seen(replace(dataset, train=some))


def test_labels_are_needed(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="specialists learn from labels"):
        Specialty((1,)).seen(replace(dataset, train=replace(dataset.train, targets=None)))
