"""Transfer sets: the right classes and share of the training set, and a user's loader."""

import pytest
import torch

from kdistill.data.augmentation import Shift
from kdistill.data.batch import Batch, Dataset
from kdistill.data.loader import LoaderSet
from kdistill.data.streams import EpochStream
from kdistill.data.tensors import from_tensors
from kdistill.data.transfer import TrainingSet
from kdistill.errors import UserError

CPU = torch.device("cpu")
NAMES = ["ant", "bee", "cat", "dog"]


def _dataset(labelled: bool = True) -> Dataset:
    inputs = torch.arange(400, dtype=torch.float32).view(400, 1)
    labels = torch.arange(400) % 4
    return from_tensors((inputs, labels if labelled else None), (inputs, labels), classes=NAMES)


def test_all_of_it_is_the_training_set_itself() -> None:
    dataset = _dataset()
    assert TrainingSet().examples(dataset) is dataset.train


@pytest.mark.parametrize("omitted", [["cat", 0], [2, "ant"], ["ant", 0, "cat"]])
def test_classes_are_left_out_by_label_or_name(omitted: list[int | str]) -> None:
    examples = TrainingSet(omit_classes=omitted).examples(_dataset())
    assert len(examples) == 200
    assert set(examples.targets.tolist()) == {1, 3}  # type: ignore[union-attr]
    assert torch.equal(examples.targets, examples.index % 4)
    assert torch.equal(examples.inputs[:, 0], examples.index.float())  # type: ignore[index]


def test_names_come_before_labels() -> None:
    inputs, labels = torch.zeros(6, 1), torch.tensor([0, 1, 2] * 2)
    dataset = from_tensors((inputs, labels), (inputs, labels), classes=["2", "1", "0"])
    assert TrainingSet(omit_classes=["2"]).examples(dataset).targets.unique().tolist() == [1, 2]  # type: ignore[union-attr]
    assert TrainingSet(omit_classes=[2]).examples(dataset).targets.unique().tolist() == [0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("named", "says"), [("cta", "did you mean cat"), (4, "ant, bee"), (-1, "ant")]
)
def test_an_unknown_class_is_refused_with_those_near(named: int | str, says: str) -> None:
    with pytest.raises(UserError, match=rf"omit_classes: no class {named!r}.*{says}"):
        TrainingSet(omit_classes=[named]).examples(_dataset())


def test_what_cannot_be_left_out_is_refused() -> None:
    with pytest.raises(UserError, match="leaves no training example"):
        TrainingSet(omit_classes=NAMES).examples(_dataset())
    with pytest.raises(UserError, match="needs labels"):
        TrainingSet(omit_classes=[1]).examples(_dataset(labelled=False))


def test_fractions_are_nested_and_drawn_by_seed() -> None:
    dataset = _dataset()
    small = TrainingSet(0.1, seed=1).examples(dataset)
    large = TrainingSet(0.5, seed=1).examples(dataset)
    other = TrainingSet(0.1, seed=2).examples(dataset)
    assert (len(small), len(large)) == (40, 200)
    assert set(small.index.tolist()) < set(large.index.tolist())
    assert small.index.tolist() == sorted(small.index.tolist())
    assert small.index.tolist() != other.index.tolist()
    assert len(TrainingSet(1e-9).examples(dataset)) == 1
    counts = large.targets.bincount()  # type: ignore[union-attr]
    assert counts.min() > 30  # expected 50 a class
    both = TrainingSet(0.5, ["ant", "bee"]).examples(dataset)
    assert len(both) == 100


def test_a_size_is_a_count_of_examples_and_an_epoch_goes_through_them_again_and_again() -> None:
    dataset = _dataset()
    few = TrainingSet(size=30, epoch_size=100)
    assert (
        few.examples(dataset).index.tolist() == TrainingSet(0.075).examples(dataset).index.tolist()
    )
    assert few.passes(dataset) == 3
    stream = few.stream(dataset, 8, 0, CPU)
    assert len(stream) == 3 * 4
    passes = [[next(stream) for _ in range(4)] for _ in range(3)]
    orders = [torch.cat([batch.index for batch in each]).tolist() for each in passes]  # type: ignore[misc]
    assert all(sorted(order) == few.examples(dataset).index.tolist() for order in orders)
    assert orders[0] != orders[1] != orders[2]
    keys = torch.cat([batch.key for each in passes for batch in each])  # type: ignore[misc]
    assert len(keys.unique()) == 90  # what is drawn is drawn anew in each pass
    fresh = few.stream(dataset, 8, 0, CPU)
    fresh.load_state_dict(stream.state_dict())
    assert torch.equal(next(fresh).index, next(stream).index)  # type: ignore[arg-type]


def test_sizes_out_of_range_are_refused() -> None:
    for keys in ({"size": 0}, {"epoch_size": 0}, {"size": 3, "fraction": 0.5}):
        with pytest.raises(ValueError, match="must be"):
            TrainingSet(**keys)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="transfer.size must be <= 400 here, got 401"):
        TrainingSet(size=401).examples(_dataset())


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\], got"):
        TrainingSet(fraction)


def test_the_stream_has_the_examples_and_the_augmentation() -> None:
    dataset = _dataset()
    chosen = TrainingSet(0.1, ["ant"])
    stream = chosen.stream(dataset, 7, 3, CPU)
    expected = EpochStream(chosen.examples(dataset), 7, 3, CPU)
    assert not stream.fresh
    for _ in range(10):
        got, wanted = next(stream), next(expected)
        assert torch.equal(got.inputs, wanted.inputs)
        assert torch.equal(got.key, wanted.key)  # type: ignore[arg-type]
    assert TrainingSet(augmentation=[Shift(1)]).stream(dataset, 7, 3, CPU).fresh
    assert chosen.labelled(dataset)
    assert not chosen.labelled(_dataset(labelled=False))


def test_a_loader_is_asked_live() -> None:
    inputs, labels = torch.rand(4, 1), torch.tensor([0, 1, 2, 3])
    dataset = from_tensors(None, (inputs, labels))
    loader_set = LoaderSet([(inputs, labels)])
    batch: Batch = next(loader_set.stream(dataset, 99, 0, CPU))
    assert torch.equal(batch.inputs, inputs)
    assert loader_set.stream(dataset, 99, 0, CPU).fresh
    assert loader_set.labelled(dataset)
    assert not LoaderSet([inputs]).labelled(dataset)


def test_classes_that_are_lacking_are_those_the_training_set_has_and_it_has_not() -> None:
    dataset = _dataset()
    assert TrainingSet().lacking(dataset) == []
    assert TrainingSet(omit_classes=["dog", 0]).lacking(dataset) == [0, 3]
    assert TrainingSet(fraction=1e-9).lacking(dataset) != []  # one example has one class
    assert TrainingSet().lacking(_dataset(labelled=False)) == []
    known = from_tensors(
        (dataset.train.inputs, dataset.train.targets),
        (dataset.train.inputs, dataset.train.targets),
        classes=[*NAMES, "emu"],
    )
    assert TrainingSet(omit_classes=["bee"]).lacking(known) == [1]  # nobody has seen an emu
