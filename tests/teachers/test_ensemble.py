"""Many networks as one: how their answers combine, and what sets the members apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdistill.data.batch import Batch, Dataset
from kdistill.events import Event, StageEnded
from kdistill.losses.soft_targets import SoftTargets
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals
from kdistill.tasks.classification import Combined
from kdistill.teachers.ensemble import COMBINATIONS, Ensemble
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LINEAR = {"_target_": "kdistill.models.mlp.MLP", "widths": []}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 1,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
}
LOGITS = frozenset({ANSWER})
Run = Callable[..., Context]


class Says(nn.Module):
    """Answers with the same logits whatever the input."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, inputs: Tensor) -> Tensor:
        return self.logits


def ensemble(members: int = 2, combine: str = "geometric", **changes: Any) -> Ensemble:
    return Ensemble(members, combine, **{"model": MODEL, "loss": LOSS, "fit": FIT, **changes})


@pytest.fixture
def said() -> Tensor:
    """Logits [members, batch, classes] of three members."""
    return 5 * torch.randn(3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def combined(said: Tensor, how: str) -> Tensor:
    return Combined([Says(logits) for logits in said], how)(torch.zeros(4, 1))


def test_geometric_is_the_mean_of_the_logits(said: Tensor) -> None:
    torch.testing.assert_close(combined(said, "geometric"), said.mean(dim=0), rtol=1e-14, atol=0)
    products = said.softmax(dim=-1).log().mean(dim=0).exp()  # the geometric mean, by its name
    expected = products / products.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(combined(said, "geometric").softmax(dim=-1), expected)


def test_arithmetic_is_the_mean_of_the_probabilities(said: Tensor) -> None:
    expected = said.softmax(dim=-1).mean(dim=0)
    answer = combined(said, "arithmetic")
    torch.testing.assert_close(answer.exp(), expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(answer.softmax(dim=-1), expected, rtol=1e-13, atol=0)


def test_arithmetic_stays_finite_where_probabilities_vanish() -> None:
    sure = torch.tensor([[[0.0, -2000.0, -1000.0]], [[-2000.0, 0.0, -1000.0]]])
    answer = combined(sure, "arithmetic")
    assert answer.isfinite().all()
    torch.testing.assert_close(answer.softmax(dim=-1), torch.tensor([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize("how", COMBINATIONS)
def test_equal_members_answer_as_one_of_them(how: str, said: Tensor) -> None:
    answer = combined(said[:1].expand(4, -1, -1), how)
    torch.testing.assert_close(answer.softmax(dim=-1), said[0].softmax(dim=-1))


@pytest.mark.parametrize("how", COMBINATIONS)
def test_the_order_of_the_members_does_not_matter(how: str, said: Tensor) -> None:
    torch.testing.assert_close(combined(said, how), combined(said.flip(0), how))


@pytest.mark.parametrize("how", COMBINATIONS)
def test_reduced_precision_ends_with_the_members(how: str, said: Tensor) -> None:
    half = said.bfloat16()
    expected = combined(half.float(), how)
    assert torch.equal(combined(half, how), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(combined(half, how), expected)


@pytest.mark.parametrize("how", COMBINATIONS)
def test_the_temperature_is_applied_to_the_result(how: str, said: Tensor) -> None:
    """Hinton 2015: soften what the ensemble says, not what each of its members says."""
    temperature, student = 4.0, torch.zeros(4, 6, dtype=torch.float64)
    if how == "geometric":
        mean = said.softmax(dim=-1).log().mean(dim=0).exp()
    else:
        mean = said.softmax(dim=-1).mean(dim=0)
    softened = mean ** (1 / temperature)
    targets = softened / softened.sum(dim=-1, keepdim=True)
    divergence = F.kl_div(student.log_softmax(dim=-1), targets, reduction="batchmean")
    loss = SoftTargets(temperature, hard_weight=0.0).double()
    teacher = Signals({ANSWER: combined(said, how)})
    total = loss(Signals({ANSWER: student}), teacher, Batch(torch.zeros(4, 1)))["total"]
    torch.testing.assert_close(total, temperature**2 * divergence)


# members


def test_members_differ_in_seed_and_the_seed_of_the_run_changes_all() -> None:
    seeds = [[each.seed for each in ensemble(50, seed=seed).teachers] for seed in (0, 1, 2)]
    assert len(set(sum(seeds, []))) == 150
    assert seeds[1] == [each.seed for each in ensemble(50, seed=1).teachers]


def test_members_are_different_networks_and_answer_together(context: Run, dataset: Dataset) -> None:
    made = ensemble(3)
    made.prepare(context())
    first, second, third = made.members
    inputs = dataset.test.inputs
    with torch.no_grad():
        said = torch.stack([member(inputs) for member in (first, second, third)])
    assert not torch.equal(said[0], said[1])
    assert not torch.equal(said[1], said[2])
    answer = made.answer(Batch(inputs), LOGITS)[ANSWER]
    torch.testing.assert_close(answer, said.mean(dim=0))
    assert not answer.requires_grad
    assert not any(part.training for part in made.network.modules())
    assert not any(parameter.requires_grad for parameter in made.network.parameters())


def test_the_members_are_those_that_would_be_trained_alone(context: Run) -> None:
    made = ensemble(2, seed=3)
    made.prepare(context())
    alone = NetworkTeacher(MODEL, LOSS, FIT, seed=3001)
    alone.prepare(context())
    expected = alone.network.state_dict()
    state = made.members[1].state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_architectures_take_turns() -> None:
    made = ensemble(5, architectures=[MODEL, LINEAR])
    widths = [each.model["widths"] for each in made.teachers]
    assert widths == [[8], [], [8], [], [8]]


@pytest.mark.parametrize("how", COMBINATIONS)
def test_networks_of_different_architectures_answer_together(how: str, context: Run) -> None:
    made = ensemble(2, how, architectures=[MODEL, LINEAR])
    made.prepare(context())
    sizes = [sum(each.numel() for each in member.parameters()) for member in made.members]
    assert sizes == [6 * 8 + 8 + 8 * 3 + 3, 6 * 3 + 3]
    assert sum(each.numel() for each in made.network.parameters()) == sum(sizes)


def test_bootstrap_gives_each_member_a_sample_of_its_own(dataset: Dataset) -> None:
    one, other = ensemble(2, bootstrap=True).teachers
    assert one.bootstrap
    drawn = [each._resample(dataset.train).index for each in (one, other)]
    assert not torch.equal(*drawn)


@pytest.mark.parametrize("members", [0, -1])
def test_an_ensemble_of_none_is_refused(members: int) -> None:
    with pytest.raises(ValueError, match=f"members must be >= 1, got {members}"):
        ensemble(members)


def test_another_way_to_combine_is_refused() -> None:
    with pytest.raises(ValueError, match="combine must be arithmetic or geometric, got median"):
        ensemble(combine="median")


# cache and name


def test_a_larger_ensemble_reuses_the_members_of_a_smaller(context: Run, tmp_path: Path) -> None:
    told: list[Event] = []
    small, large = ensemble(2), ensemble(3, "arithmetic")
    small.prepare(context(tmp_path))
    large.prepare(context(tmp_path, told.append))
    ended = [(event.stage, event.reused) for event in told if isinstance(event, StageEnded)]
    assert ended == [("teacher 1/3", True), ("teacher 2/3", True), ("teacher 3/3", False)]
    for ours, theirs in zip(small.members, large.members, strict=False):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_what_it_announces_is_what_it_does(context: Run, dataset: Dataset, tmp_path: Path) -> None:
    def announced() -> list[bool]:
        trainings = ensemble(3).trainings(dataset.fingerprint, "fp32", tmp_path)
        return [each.reused for each in trainings]

    assert announced() == [False, False, False]
    ensemble(2).prepare(context(tmp_path))
    assert announced() == [True, True, False]


def test_the_name_is_that_of_the_members_and_how_they_combine(
    context: Run, dataset: Dataset
) -> None:
    variants = [
        ensemble(),
        ensemble(3),
        ensemble(combine="arithmetic"),
        ensemble(seed=1),
        ensemble(bootstrap=True),
        ensemble(architectures=[MODEL, LINEAR]),
        ensemble(architectures=[LINEAR, MODEL]),
    ]
    names = [each.name(dataset.fingerprint, "fp32") for each in variants]
    assert len(set(names)) == len(names)
    made = ensemble()
    made.prepare(context())
    assert made.hash == names[0] == made.reference()["hash"]
    made.trainings(dataset.fingerprint, "bf16", None)
    assert made.hash not in (None, names[0])
