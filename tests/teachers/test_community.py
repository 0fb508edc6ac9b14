"""Networks that learn at the same time: what they learn by, and what names and keeps them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdistill.data.batch import Batch, Dataset
from kdistill.engine.predict import predict
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, StageEnded
from kdistill.signals.signal import ANSWER
from kdistill.tasks.classification import Combined
from kdistill.tasks.task import Task
from kdistill.teachers.community import Community
from kdistill.teachers.ensemble import COMBINATIONS, Ensemble
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
PEERS = {"_target_": "kdistill.losses.soft_targets.SoftTargets", "temperature": 2.0}
PEERS |= {"hard_weight": 0.0}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 4,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.5},
}
STILL = {**FIT, "epochs": 1, "optimizer": {**FIT["optimizer"], "lr": 0.0}}
LOGITS = frozenset({ANSWER})
Run = Callable[..., Context]


def community(learning: str = "codistillation", **changes: Any) -> Community:
    given = {"members": 3, "combine": "arithmetic", "model": MODEL, "loss": LOSS, "peers": PEERS}
    return Community(**{**given, "learning": learning, "fit": FIT, **changes})


def prepared(context: Context, *learning: str, **changes: Any) -> Community:
    made = community(*learning, **changes)
    made.prepare(context)
    return made


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left | right)


def logits_of(members: Any, context: Context) -> Tensor:
    train = context.dataset.train
    return torch.stack([predict(member, train, context.process) for member in members])


# what they learn by


class FromItsOwnSeed(NetworkTeacher):
    """Trained in the order of `seed`, from first weights that are those of member k."""

    k = 0

    def made(self, dataset: Dataset, task: Task, seed: int) -> nn.Module:
        return super().made(dataset, task, seed + self.k)


def test_alone_each_is_the_network_trained_by_itself_bit_for_bit(context: Run) -> None:
    made = prepared(context(), "alone", seed=2)
    for k, member in enumerate(made.members):
        single = FromItsOwnSeed(MODEL, LOSS, FIT, seed=2000)
        single.k = k
        single.prepare(context())
        assert same(member, single.network)


def test_alone_the_first_is_the_first_of_an_ensemble(context: Run) -> None:
    ensemble = Ensemble(2, "geometric", MODEL, LOSS, FIT, seed=3)
    ensemble.prepare(context())
    assert same(prepared(context(), "alone", seed=3).members[0], ensemble.members[0])


def test_they_start_as_the_members_of_an_ensemble(context: Run) -> None:
    ensemble = Ensemble(3, "geometric", MODEL, LOSS, STILL, seed=3)
    ensemble.prepare(context())
    made = prepared(context(), seed=3, fit=STILL)
    assert all(map(same, made.members, ensemble.members))
    assert not same(made.members[0], made.members[1])


def test_peers_without_weight_change_nothing_bit_for_bit(context: Run) -> None:
    alone, weightless = prepared(context(), "alone"), prepared(context(), peer_weight=0.0)
    assert all(map(same, alone.members, weightless.members))
    weighed = prepared(context(), peer_weight=0.5)
    assert not any(map(same, alone.members, weighed.members))


def test_peers_draw_the_members_together(context: Run) -> None:
    def spread(made: Community) -> float:
        said = logits_of(made.members, context()).softmax(-1)
        return float(said.std(dim=0).mean())

    apart, near = spread(prepared(context(), "alone")), spread(prepared(context()))
    assert near < 0.8 * apart


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_the_control_learns_by_the_labels_of_the_average(combine: str, context: Run) -> None:
    told: list[Event] = []
    changes: dict[str, Any] = {"combine": combine, "fit": {**STILL, "batch_size": 80}}
    made = prepared(context(None, told.append), "average", **changes)
    said, labels = logits_of(made.members, context()), context().dataset.train.targets
    if combine == "geometric":
        expected = F.cross_entropy(said.mean(dim=0), labels)
    else:
        expected = F.nll_loss(said.softmax(-1).mean(dim=0).log(), labels)
    (epoch,) = (event for event in told if isinstance(event, EpochEnded))
    assert epoch.terms == {"total": pytest.approx(float(expected), rel=1e-5)}


def test_the_control_trains_every_member(context: Run) -> None:
    first, after = prepared(context(), "average", fit=STILL), prepared(context(), "average")
    assert not any(map(same, first.members, after.members))
    assert not any(map(same, prepared(context(), "alone").members, after.members))


def test_it_learns_and_answers_frozen(context: Run, dataset: Dataset) -> None:
    made = prepared(context(), fit={**FIT, "epochs": 40})
    answer = made.answer(Batch(dataset.train.inputs), LOGITS)[ANSWER]
    assert (answer.argmax(1) == dataset.train.targets).float().mean() > 0.9  # a third by chance
    torch.testing.assert_close(answer.exp(), logits_of(made.members, context()).softmax(-1).mean(0))
    assert not any(part.training for part in made.network.modules())
    assert not any(parameter.requires_grad for parameter in made.network.parameters())


def test_validation_is_that_of_the_answer_and_of_the_average_member(context: Run) -> None:
    told: list[Event] = []
    made = prepared(context(None, told.append))
    validation, process = context().dataset.validation, context().process
    last = [event for event in told if isinstance(event, EpochEnded)][-1].validation
    score = context().task.validate
    together = score(predict(made.network, validation, process), validation)
    alone = [score(predict(m, validation, process), validation) for m in made.members]
    assert {name: last[name] for name in together} == together
    for name in together:
        assert last[f"member_{name}"] == pytest.approx(sum(one[name] for one in alone) / 3)


# name and cache


def test_the_name_covers_what_matters_and_nothing_else(context: Run, dataset: Dataset) -> None:
    def name(*learning: str, **changes: Any) -> str:
        return community(*learning, **changes).name(dataset.fingerprint, "fp32")

    hotter = {**PEERS, "temperature": 4.0}
    different = [
        name(),
        name(members=4),
        name(combine="geometric"),
        name(peer_weight=2.0),
        name(peers=hotter),
        name(seed=1),
        name("average"),
        name("alone"),
        NetworkTeacher(MODEL, LOSS, FIT).name(dataset.fingerprint, "fp32"),
    ]
    assert len(set(different)) == len(different)
    for learning in ("average", "alone"):  # peers are not listened to
        assert name(learning) == name(learning, peers=hotter, peer_weight=2.0)
    made = prepared(context())
    assert made.hash == name() == made.reference()["hash"]


def test_it_is_trained_once_and_loaded_with_its_members(context: Run, tmp_path: Path) -> None:
    told: list[Event] = []
    data = context().dataset.fingerprint
    announced = community().trainings(data, "fp32", tmp_path)
    assert [each.stage for each in announced] == ["teacher 1/3", "teacher 2/3", "teacher 3/3"]
    assert [each.epochs for each in announced] == [4, 4, 4]
    assert not any(each.reused for each in announced)
    first = prepared(context(tmp_path, told.append))
    again = prepared(context(tmp_path, told.append))
    assert [event.reused for event in told if isinstance(event, StageEnded)] == [False, True]
    assert all(map(same, first.members, again.members))
    assert all(each.reused for each in community().trainings(data, "fp32", tmp_path))


def test_members_are_combined_as_asked(context: Run, dataset: Dataset) -> None:
    made = prepared(context(), combine="geometric")
    assert isinstance(made.network, Combined)
    expected = logits_of(made.members, context()).mean(dim=0)
    answer = made.answer(Batch(dataset.train.inputs), LOGITS)[ANSWER]
    torch.testing.assert_close(answer, expected)


# mistakes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": 1}, "members must be >= 2, got 1"),
        ({"combine": "median"}, "combine must be arithmetic or geometric, got median"),
        ({"peer_weight": -1.0}, "peer_weight must be >= 0, got -1"),
        ({"learning": "x"}, "learning must be one of codistillation, average, alone, got x"),
    ],
)
def test_what_it_refuses(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        community(**changes)


def test_losses_in_each_others_places_are_refused(context: Run) -> None:
    with pytest.raises(UserError, match=r"teacher\.peers: members compare their logits"):
        prepared(context(), peers=LOSS)
    with pytest.raises(UserError, match=r"teacher\.loss: it compares with a teacher"):
        prepared(context(), loss=PEERS)
