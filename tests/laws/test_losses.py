"""The laws of classifiers' losses, over configs/loss: what one lists holds, what not fails.

A loss added later is found here by its YAML. Each is tried with its defaults, and with every number
of its config set to 0 and to 0.1 where it accepts them.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from kdistill.config.build import build, to_plain
from kdistill.data.batch import Batch
from kdistill.data.randomness import sample_keys
from kdistill.errors import UserError
from kdistill.losses.loss import Loss
from kdistill.paths import CONFIG_DIR
from kdistill.signals.input_gradients import INPUT_GRADIENTS, SLOPES
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals

CLASSES = 10
KEYS = sample_keys(0, 0, torch.arange(24))


def config_of(option: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose(overrides=[f"+loss={option}"]).loss)


OPTIONS = sorted(path.stem for path in (CONFIG_DIR / "loss").glob("[!_]*.yaml"))
OPTIONS = [option for option in OPTIONS if "classes" in build(config_of(option)).compares]


def numbers(config: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from numbers(value, (*path, name))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield (*path, name)


def changed(config: dict[str, Any], path: tuple[str, ...], value: float) -> dict[str, Any]:
    config = deepcopy(config)
    node = config
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return config


WORDS = {  # the other values of what is no number
    "noisy_logits": [{"side": "student"}, {"draw": "minibatch"}, {"random_sigma": True}],
    "derivative_matching": [{"weighting": "teacher"}, {"exact": False}],
}


def variants() -> Iterator[Any]:
    for option in OPTIONS:
        config = config_of(option)
        yield pytest.param(config, id=option)
        for words in WORDS.get(option, []):
            ((key, value),) = words.items()
            yield pytest.param({**config, **words}, id=f"{option}-{key}={value}")
        for path in numbers(config):
            for value in (0, 0.1):
                variant = changed(config, path, value)
                try:
                    build(variant)
                except UserError:
                    continue
                yield pytest.param(variant, id=f"{option}-{'.'.join(path)}={value}")


VARIANTS = list(variants())


def everything(logits: Tensor, needs: frozenset[Signal] | None = None) -> Signals:
    """All signals, or those needed, of a model with these logits; derivatives are made up."""
    slopes = logits.log_softmax(dim=-1)
    made = {
        ANSWER: logits,
        SLOPES: slopes,
        INPUT_GRADIENTS: slopes[..., None] * torch.tensor([1.0, -2.0, 0.5]).double(),
    }
    return Signals({signal: made[signal] for signal in (made if needs is None else needs)})


class Case:
    """Random logits [batch, *positions, classes] of a student and a teacher, and labels."""

    mask: Tensor | None = None

    def __init__(self, batch: int = 6, positions: tuple[int, ...] = ()) -> None:
        torch.manual_seed(0)
        self.student = torch.randn(batch, *positions, CLASSES, dtype=torch.float64)
        self.teacher = 2 * torch.randn(batch, *positions, CLASSES, dtype=torch.float64)
        self.labels = torch.randint(CLASSES, (batch, *positions))

    def total(self, loss: Loss, student: Tensor | None = None, teacher: Tensor | None = None):
        said = self.student if student is None else student
        taught = self.teacher if teacher is None else teacher
        batch = Batch(torch.zeros(len(said), 1), self.labels, mask=self.mask, key=KEYS[: len(said)])
        return loss.double()(everything(said), everything(taught), batch)["total"]

    def gradient(self, loss: Loss, student: Tensor | None = None, teacher: Tensor | None = None):
        said = (self.student if student is None else student).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.total(loss, said, teacher), said)
        return gradient * len(said)  # of one sample's loss, which the batch averages


def set_temperature(loss: Loss, value: float) -> None:
    for part in loss.modules():
        if isinstance(getattr(part, "temperature", None), Tensor):
            part.temperature.fill_(value)


def zero_at_equality(config: dict[str, Any]) -> bool:
    """Loss and gradient vanish when the student says what the teacher says."""
    loss, case = build(config), Case()
    total = case.total(loss, student=case.teacher)
    gradient = case.gradient(loss, student=case.teacher)
    return bool(total.abs() < 1e-12 and gradient.abs().max() < 1e-9)


def temperature_squared(config: dict[str, Any]) -> bool:
    """The norm of the gradient stays about constant as T grows."""
    loss, case = build(config), Case()
    norms = []
    for temperature in (50.0, 500.0):
        set_temperature(loss, temperature)
        norms.append(case.gradient(loss).norm())
    return bool((norms[0] / norms[1] - 1).abs() < 0.1)


def logit_regression(config: dict[str, Any]) -> bool:
    """As T -> infinity the gradient is (z - v) / classes, logits centred (Hinton 2015, eq. 4)."""
    loss, case = build(config), Case()
    set_temperature(loss, 1e4)
    difference = case.student - case.teacher
    limit = (difference - difference.mean(dim=1, keepdim=True)) / CLASSES
    return bool((case.gradient(loss) - limit).norm() / limit.norm() < 1e-3)


def class_count(config: dict[str, Any]) -> bool:
    """Classes that neither model gives any mass change nothing."""
    loss, case = build(config), Case()
    padding = torch.full((len(case.student), 90), -1e5, dtype=torch.float64)
    padded = [torch.cat([logits, padding], dim=1) for logits in (case.student, case.teacher)]
    return torch.allclose(case.total(loss), case.total(loss, *padded))


def shift_invariance(config: dict[str, Any]) -> bool:
    """Adding a constant to all logits of a sample, on either side, changes nothing."""
    loss, case = build(config), Case()
    shift = torch.arange(len(case.student), dtype=torch.float64)[:, None] + 1
    moved = case.total(loss, case.student + shift, case.teacher - 2 * shift)
    return torch.allclose(case.total(loss), moved)


def continuity(config: dict[str, Any]) -> bool:
    """No number of the config has a cliff: a nudge of 1e-7 moves the loss by next to nothing."""
    case = Case()
    before = case.total(build(config))
    nudged = (changed(config, path, 1e-7 + float(_leaf(config, path))) for path in numbers(config))
    return all(torch.allclose(before, case.total(build(each)), rtol=1e-4) for each in nudged)


def _leaf(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = config[name]
    return config


LAWS: dict[str, Callable[[dict[str, Any]], bool]] = {
    law.__name__: law
    for law in (
        zero_at_equality,
        temperature_squared,
        logit_regression,
        class_count,
        shift_invariance,
        continuity,
    )
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("config", VARIANTS)
def test_a_law_holds_if_and_only_if_the_loss_lists_it(config: dict[str, Any], law: str) -> None:
    assert LAWS[law](config) == (law in build(config).laws)


@pytest.mark.parametrize("config", VARIANTS)
def test_every_law_listed_is_tested_here(config: dict[str, Any]) -> None:
    assert build(config).laws <= set(LAWS)


@pytest.mark.parametrize("config", VARIANTS)
def test_gradient_against_finite_differences(config: dict[str, Any]) -> None:
    loss, case = build(config).double(), Case(batch=3)
    said = case.student.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: case.total(loss, student=logits), said)


@pytest.mark.parametrize("config", VARIANTS)
def test_the_loss_reads_only_what_it_says_it_needs(config: dict[str, Any]) -> None:
    loss, case = build(config).double(), Case()
    taught = everything(case.teacher, loss.teacher_needs) if loss.teacher_needs else None
    labels = case.labels if loss.needs_targets else None
    batch = Batch(torch.zeros(len(case.student), 1), labels, key=KEYS[: len(case.student)])
    terms = loss(everything(case.student, loss.student_needs), taught, batch)
    assert torch.equal(terms["total"], case.total(loss))
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())


MASK = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [1, 0, 1, 0], [0] * 4])


def masked() -> Case:
    case = Case(positions=(4,))
    case.mask = MASK.bool()
    return case


@pytest.mark.parametrize("config", VARIANTS)
def test_masked_positions_change_nothing(config: dict[str, Any]) -> None:
    loss, case, other = build(config), masked(), masked()
    for changed_there in (other.student, other.teacher):
        changed_there[~other.mask] += 100 * torch.randn(CLASSES, dtype=torch.float64)
    other.labels[~other.mask] = -1  # as padding has it
    assert torch.equal(case.total(loss), other.total(loss))
    gradients = [one.gradient(loss) for one in (case, other)]
    assert torch.equal(*gradients)
    assert not gradients[0][~case.mask].any()
    case.mask = torch.zeros_like(MASK).bool()
    assert float(case.total(loss)) == 0
    assert not case.gradient(loss).any()


@pytest.mark.parametrize("config", VARIANTS)
def test_a_position_counts_as_a_case_of_its_own(config: dict[str, Any]) -> None:
    """Of losses that draw nothing from a case's key."""
    loss, case, alone = build(config), masked(), Case(len(MASK[MASK > 0]))
    alone.student, alone.teacher = case.student[case.mask], case.teacher[case.mask]
    alone.labels = case.labels[case.mask]
    if "noisy" not in str(config) or loss.laws >= {"zero_at_equality"}:
        torch.testing.assert_close(case.total(loss), alone.total(loss))
    case.mask = torch.ones_like(MASK).bool()
    everywhere = case.total(loss)
    case.mask = None
    torch.testing.assert_close(case.total(loss), everywhere)
