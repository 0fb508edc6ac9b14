"""A generalist, its clusters and its specialists: what is trained, kept and reported."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdistill.data.batch import Batch, Dataset
from kdistill.data.halves import halves
from kdistill.data.spec import Array
from kdistill.data.specialty import Specialty
from kdistill.data.tensors import from_tensors
from kdistill.engine.predict import predict
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, StageEnded
from kdistill.models.network import make_network
from kdistill.signals.signal import ANSWER
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.specialist import Specialist, narrowed
from kdistill.teachers.specialists import Specialists
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [12]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
}
STILL = {**FIT, "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.0}}
LOGITS = frozenset({ANSWER})
Run = Callable[..., Context]


@pytest.fixture
def dataset() -> Dataset:
    """Six classes in three pairs: which pair is plain to see, which of the two is not."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (500,), generator=generator)
    inputs = 0.8 * torch.randn(500, 5, generator=generator)
    inputs[torch.arange(500), labels // 2] += 4
    inputs[:, 3] += labels % 2
    train, test = (inputs[:400], labels[:400]), (inputs[400:], labels[400:])
    return from_tensors(train, test, 80, [f"{p}{n}" for p in "abc" for n in "01"])


def specialists(**changes: Any) -> Specialists:
    parts = {"model": MODEL, "loss": LOSS, "fit": FIT, "specialist_fit": FIT, "clusters": 3}
    return Specialists(**{**parts, **changes})


def ended(told: list[Event]) -> list[tuple[str, bool]]:
    return [(event.stage, event.reused) for event in told if isinstance(event, StageEnded)]


STAGES = ["teacher generalist", *(f"teacher specialist {k}/3" for k in (1, 2, 3))]


def test_confused_classes_get_a_specialist_each(context: Run) -> None:
    made = specialists()
    made.prepare(context())
    assert [each.specialty.classes for each in made.specialists] == [(0, 1), (2, 3), (4, 5)]
    networks = [each.network for each in made.specialists]
    assert [network(torch.zeros(1, 5)).shape[1] for network in networks] == [3, 3, 3]
    assert not any(parameter.requires_grad for parameter in made.network.parameters())
    assert not any(part.training for part in made.network.modules())


def test_they_tell_apart_better_than_the_generalist(context: Run, dataset: Dataset) -> None:
    """Of examples of its classes, predictions restricted to them; each sees them more often."""
    made = specialists(specialist_fit={**FIT, "epochs": 15})
    made.prepare(context())
    clusters, coverage, answers = made.tables(dataset, made.process)
    (_, _, alone, _), (_, _, together, _), _ = answers.rows
    assert together > alone
    assert [row[1] for row in clusters.rows] == ["a0, a1", "b0, b1", "c0, c1"]
    assert [row[:2] for row in coverage.rows] == [[0, 0], [1, 100]]
    gained = predict(made.network, dataset.test, made.process).argmax(1) == dataset.test.targets
    before = predict(made.generalist.network, dataset.test, made.process).argmax(1)
    change = int(gained.sum()) - int((before == dataset.test.targets).sum())
    assert coverage.rows[1][2] == change
    assert answers.rows[1][1] == pytest.approx(100 * float(gained.double().mean()))


def test_a_specialist_starts_as_the_generalist(context: Run, dataset: Dataset) -> None:
    """Its classes' logits are the generalist's; the dustbin's is a mean of the others' and wins on
    half of the examples that a specialist sees."""
    made = specialists(specialist_fit=STILL)
    made.prepare(context())
    inputs, labels = dataset.train.inputs, dataset.train.targets
    general = made.generalist.network(inputs)
    for each in made.specialists:
        own = list(each.specialty.classes)
        rest = [label for label in range(6) if label not in own]
        said = each.network(inputs)
        torch.testing.assert_close(said[:, :-1], general[:, own])
        shift = said[:, -1] - general[:, rest].mean(1)
        torch.testing.assert_close(shift, shift[:1].expand_as(shift))
        rows = halves(each.specialty.of(labels), seed=0)[:256].flatten()
        wins = said[rows].argmax(1) == 2
        assert 2 * int(wins.sum()) == len(rows)


def test_full_softmax_specialists_start_as_the_generalist_too(context: Run) -> None:
    made = specialists(specialist_fit=STILL, full_softmax=5.0)
    made.prepare(context())
    for each in made.specialists:
        pairs = zip(each.network.parameters(), made.generalist.network.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_a_full_softmax_learns_soft_targets_of_the_rest(context: Run) -> None:
    told: list[Event] = []
    made = specialists(full_softmax=5.0, specialist_fit={**FIT, "epochs": 4})
    made.prepare(context(None, told.append))
    first = [e.terms for e in told if isinstance(e, EpochEnded) and e.stage == STAGES[1]]
    assert set(first[0]) == {"total", "hard", "soft"}
    assert first[0]["soft"] < 0.1 < first[0]["hard"]  # it starts as who gave the soft targets
    assert first[-1]["hard"] < first[0]["hard"]


@pytest.mark.parametrize("full_softmax", [None, 4.0])
def test_it_answers_with_its_network(
    full_softmax: float | None, context: Run, dataset: Dataset
) -> None:
    made = specialists(full_softmax=full_softmax)
    made.prepare(context())
    answer = made.answer(Batch(dataset.test.inputs), LOGITS)[ANSWER]
    torch.testing.assert_close(answer, predict(made.network, dataset.test, made.process))
    torch.testing.assert_close(answer.exp().sum(1), torch.ones(100))


# cache and name


def test_everything_is_kept_and_reused(context: Run, tmp_path: Path) -> None:
    told: list[Event] = []
    first, second = specialists(), specialists()
    first.prepare(context(tmp_path))
    second.prepare(context(tmp_path, told.append))
    assert ended(told) == [(stage, True) for stage in STAGES]  # the clusters, too, are not told
    assert first.hash == second.hash == first.reference()["hash"]
    pairs = zip(first.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_what_it_announces_is_what_it_does(context: Run, dataset: Dataset, tmp_path: Path) -> None:
    def announced(**changes: Any) -> dict[str, bool]:
        trainings = specialists(**changes).trainings(dataset.fingerprint, "fp32", tmp_path)
        return {each.stage: each.reused for each in trainings}

    assert announced() == dict.fromkeys(STAGES, False)
    made = specialists()
    made.prepare(context(tmp_path))
    assert announced() == dict.fromkeys(STAGES, True)
    assert announced(active=2) == dict.fromkeys(STAGES, True)
    longer = announced(specialist_fit={**FIT, "epochs": 3})
    assert longer == {stage: stage == STAGES[0] for stage in STAGES}
    made.trainings(dataset.fingerprint, "fp32", tmp_path)
    assert made.hash == made.reference()["hash"]


def test_the_generalist_is_the_network_that_a_run_without_specialists_would_train(
    context: Run, tmp_path: Path
) -> None:
    alone = NetworkTeacher(MODEL, LOSS, FIT, seed=3)
    alone.prepare(context(tmp_path))
    told: list[Event] = []
    specialists(seed=3).prepare(context(tmp_path, told.append))
    assert ended(told)[0] == ("teacher generalist", True)


def test_the_name_is_that_of_all_it_answers_from(context: Run, tmp_path: Path) -> None:
    names = []
    for changes in (
        {},
        {"active": 2},
        {"solver": "gradient"},
        {"seed": 1},
        {"full_softmax": 2.0},
        {"full_softmax": 3.0},
        {"clusters": 2},
        {"size": 3},
        {"specialist_fit": {**FIT, "epochs": 1}},
        {"fit": {**FIT, "epochs": 1}},
    ):
        made = specialists(**changes)
        made.prepare(context(tmp_path))
        names.append(made.hash)
    assert len(set(names)) == len(names)
    assert None not in names


def test_softened_predictions_are_clustered(
    context: Run, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def sets(said: Tensor, *rest: object) -> list[tuple[int, ...]]:
        seen.append(said)
        return [(0, 1)]

    monkeypatch.setattr("kdistill.teachers.specialists.cluster_classes", sets)
    made = specialists(cluster_temperature=4.0)
    made.prepare(context())
    logits = predict(made.generalist.network, dataset.train, made.process)
    torch.testing.assert_close(seen[0], (logits / 4).softmax(1))


def test_damaged_clusters_are_found_again(context: Run, tmp_path: Path) -> None:
    first = specialists()
    first.prepare(context(tmp_path))
    (file,) = (tmp_path / "clusters").glob("*/clusters.json")
    file.write_text("{")
    told: list[Event] = []
    specialists().prepare(context(tmp_path, told.append))
    assert ended(told)[1] == ("teacher clusters", False)
    assert all(reused for _, reused in ended(told)[2:])


def test_side_by_side_gives_the_same_networks(context: Run, tmp_path: Path) -> None:
    one, other = specialists(), specialists(workers=2)
    one.prepare(context(tmp_path / "one"))
    other.prepare(context(tmp_path / "other"))
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert one.hash == other.hash


def test_it_is_sent_without_its_network(context: Run) -> None:
    made = specialists()
    made.prepare(context())
    sent = made.specialists[0].__getstate__()
    assert "network" not in sent
    assert "network" not in sent["generalist"].__getstate__()


# the last layer


def weights(classes: int) -> dict[str, Tensor]:
    return {"output.weight": torch.arange(classes * 2.0).view(classes, 2), "hidden": torch.ones(3)}


def test_the_rows_of_the_classes_are_taken() -> None:
    start, own = weights(5), weights(3)
    taken = narrowed("output.weight", start, own, (1, 4))
    expected = torch.tensor([[2.0, 3], [8, 9], [10 / 3, 13 / 3]])
    torch.testing.assert_close(taken, expected)
    assert torch.equal(narrowed("hidden", start, own, (1, 4)), start["hidden"])


def test_a_layer_that_depends_on_the_classes_elsewhere_is_told() -> None:
    start, own = {"odd": torch.zeros(4, 8)}, {"odd": torch.zeros(2, 6)}
    with pytest.raises(UserError, match=r"teacher\.model: .* 'odd' has the shapes \[4, 8\]"):
        narrowed("odd", start, own, (1,))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ({"_target_": "kdistill.models.resnet.ResNet", "depth": 8}, (3, 32, 32)),
        (
            {"_target_": "kdistill.models.network_in_network.NetworkInNetwork", "dropout": 0.5},
            (3, 32, 32),
        ),
    ],
)
def test_convolutional_networks_are_narrowed(model: dict[str, Any], shape: tuple[int, ...]) -> None:
    whole, part = (make_network(model, Array(shape), {"classes": count}).eval() for count in (5, 3))
    start, own = whole.state_dict(), part.state_dict()
    part.load_state_dict({name: narrowed(name, start, own, (0, 3)) for name in own})
    inputs = torch.rand(4, *shape)
    torch.testing.assert_close(part(inputs)[:, :2], whole(inputs)[:, [0, 3]])


# what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": 1}, "clusters must be >= 2, got 1"),
        ({"size": 0}, "size must be >= 1, got 0"),
        ({"active": 0}, "active must be >= 1, got 0"),
        ({"full_softmax": 0.0}, "full_softmax must be > 0, got 0"),
        ({"cluster_temperature": 0.0}, "cluster_temperature must be > 0, got 0"),
        ({"solver": "newton"}, "solver must be em or gradient, got newton"),
        ({"workers": 0}, "workers must be >= 1, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        specialists(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": 7}, r"teacher\.clusters must be <= 6 for 6 classes, got 7"),
        ({"size": 6}, r"teacher\.size must be <= 5 for 6 classes, got 6"),
        ({"active": 7}, r"teacher\.active must be <= 6 for 6 classes, got 7"),
    ],
)
def test_numbers_that_the_data_cannot_have_are_told_before_training(
    changes: dict[str, Any], message: str, context: Run
) -> None:
    told: list[Event] = []
    with pytest.raises(UserError, match=message):
        specialists(**changes).prepare(context(None, told.append))
    assert not told


def test_early_stopping_without_validation_is_told_before_training(
    context: Run, dataset: Dataset
) -> None:
    told: list[Event] = []
    nothing = replace(dataset, validation=dataset.validation.take(torch.arange(0)))
    made = specialists(specialist_fit={**FIT, "patience": 1})
    with pytest.raises(UserError, match="there are none; set dataset.validation"):
        made.prepare(context(None, told.append, dataset=nothing))
    assert not told


def test_unlabelled_data_are_told(context: Run, dataset: Dataset) -> None:
    bare = replace(dataset, train=replace(dataset.train, targets=None))
    with pytest.raises(UserError, match="specialists learn from labels"):
        specialists().prepare(context(dataset=bare))


# its training


def test_half_of_what_a_specialist_sees_is_its_own(dataset: Dataset, context: Run) -> None:
    generalist = NetworkTeacher(MODEL, LOSS, FIT)
    special = Specialty((2, 3))
    one = Specialist(generalist, special, FIT, None, seed=0, stage="teacher specialist 1/1")
    seen = special.seen(dataset)
    batch = next(one.stream(seen.train, 20, context().process, ()))
    assert int((batch.targets < 2).sum()) == 10
    assert F.one_hot(batch.targets).shape[1] == 3
