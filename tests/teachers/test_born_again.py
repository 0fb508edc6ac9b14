"""Generations of one network: who teaches whom, who answers, and what names them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kdistill.artifacts.row_file import RowFile
from kdistill.data.batch import Batch, Dataset
from kdistill.data.tensors import from_tensors
from kdistill.engine.predict import predict
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, StageEnded
from kdistill.signals.signal import ANSWER
from kdistill.teachers.born_again import BornAgain
from kdistill.teachers.ensemble import COMBINATIONS
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
AGAIN = {"_target_": "kdistill.losses.soft_targets.SoftTargets", "temperature": 2.0}
AGAIN |= {"hard_weight": 0.0}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 3,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.5},
}
STILL = {**FIT, "epochs": 1, "batch_size": 80, "optimizer": {**FIT["optimizer"], "lr": 0.0}}
STILL_SHIFT = {"_target_": "kdistill.data.augmentation.Shift", "pixels": 0}
LOGITS = frozenset({ANSWER})
Run = Callable[..., Context]


def born_again(rounds: int = 2, answer: str = "last", **changes: Any) -> BornAgain:
    given = {"model": MODEL, "loss": LOSS, "again": AGAIN, "fit": FIT}
    return BornAgain(rounds, answer, **{**given, **changes})


def prepared(context: Context, *args: Any, **changes: Any) -> BornAgain:
    made = born_again(*args, **changes)
    made.prepare(context)
    return made


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left | right)


def test_the_first_generation_is_a_network_taught_by_the_labels(context: Run) -> None:
    alone = NetworkTeacher(MODEL, LOSS, FIT, seed=3000)
    alone.prepare(context())
    assert same(prepared(context(), seed=3).members[0], alone.network)


def test_each_later_one_learns_from_the_one_before(context: Run) -> None:
    """Nothing moves, so the first loss term is the divergence between two known networks."""
    told: list[Event] = []
    made = prepared(context(None, told.append), fit=STILL)
    train, process = context().dataset.train, context().process
    said = [predict(member, train, process) for member in made.members]
    terms = {e.stage: e.terms for e in told if isinstance(e, EpochEnded)}
    assert set(terms["teacher 1/3"]) == {"total"}
    for number in (1, 2):
        before, own = (logits / 2.0 for logits in (said[number - 1], said[number]))
        divergence = before.softmax(1) * (before.log_softmax(1) - own.log_softmax(1))
        expected = 4.0 * float(divergence.sum(1).mean())
        assert terms[f"teacher {number + 1}/3"]["soft"] == pytest.approx(expected, rel=1e-4)


def test_generations_start_anew(context: Run) -> None:
    first, second, third = prepared(context(), fit=STILL).members
    assert not same(first, second)
    assert not same(second, third)


def test_stored_answers_teach_as_the_network_itself(context: Run, tmp_path: Path) -> None:
    """A shift by nothing makes the inputs new, so that the generation before answers live."""
    images = torch.randn(60, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = images[:, 0, 0].argmax(1)
    data = from_tensors((images[:40], labels[:40]), (images[40:], labels[40:]), 10)
    stored = prepared(context(tmp_path, dataset=data), 1)
    live = prepared(context(tmp_path, dataset=data), 1, augmentation=[STILL_SHIFT])
    assert stored.hash != live.hash
    for one, other in zip(stored.members, live.members, strict=True):
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        for left, right in pairs:
            torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)
    (kept,) = (tmp_path / "answers").glob("*/answer.safetensors")
    index, rows = RowFile(kept.parent, "answer").read()
    asked = predict(stored.members[0], data.train, context().process)
    assert torch.equal(index, data.train.index)
    assert torch.equal(rows, asked)


def test_the_last_answers_unless_all_do(context: Run, dataset: Dataset, tmp_path: Path) -> None:
    inputs, known = dataset.test.inputs, context(tmp_path)
    made = prepared(known)
    with torch.no_grad():
        said = torch.stack([member(inputs) for member in made.members])
    assert torch.equal(made.answer(Batch(inputs), LOGITS)[ANSWER], said[-1])
    geometric = prepared(known, answer="geometric").answer(Batch(inputs), LOGITS)[ANSWER]
    torch.testing.assert_close(geometric, said.mean(dim=0))
    arithmetic = prepared(known, answer="arithmetic").answer(Batch(inputs), LOGITS)[ANSWER]
    torch.testing.assert_close(arithmetic.exp(), said.softmax(-1).mean(dim=0))


def test_more_rounds_go_on_from_those_that_were(context: Run, tmp_path: Path) -> None:
    told: list[Event] = []
    few = prepared(context(tmp_path), 1)
    many = prepared(context(tmp_path, told.append), 2)
    ended = [(event.stage, event.reused) for event in told if isinstance(event, StageEnded)]
    assert ended == [("teacher 1/3", True), ("teacher 2/3", True), ("teacher 3/3", False)]
    assert all(map(same, few.members, many.members))  # the two that both have
    data = context().dataset.fingerprint
    announced = born_again(3).trainings(data, "fp32", tmp_path)
    assert [each.reused for each in announced] == [True, True, True, False]
    assert [each.stage for each in announced] == [f"teacher {k}/4" for k in (1, 2, 3, 4)]


def test_a_generation_is_named_by_all_its_ancestors(dataset: Dataset) -> None:
    def names(**changes: Any) -> list[str]:
        return [g.name(dataset.fingerprint, "fp32") for g in born_again(**changes).generations]

    plain = names()
    assert len(set(plain)) == 3
    smoothed = names(loss={**LOSS, "label_smoothing": 0.1})
    assert not set(smoothed) & set(plain)  # the labels' loss of the first reaches the last
    hotter = names(again={**AGAIN, "temperature": 4.0})
    assert [a == b for a, b in zip(plain, hotter, strict=True)] == [True, False, False]
    assert names(rounds=1) == plain[:2]


def test_the_name_is_that_of_the_generations_and_of_who_answers(
    context: Run, dataset: Dataset
) -> None:
    variants = [born_again(), born_again(1), born_again(seed=1)]
    variants += [born_again(answer=how) for how in COMBINATIONS]
    names = [each.name(dataset.fingerprint, "fp32") for each in variants]
    assert len(set(names)) == len(names)
    made = prepared(context())
    assert made.hash == names[0] == made.reference()["hash"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((0,), "rounds must be >= 1, got 0"),
        ((1, "median"), "answer must be last, arithmetic or geometric, got median"),
    ],
)
def test_what_it_refuses(args: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        born_again(*args)


def test_a_wrong_second_loss_is_told_before_the_first_training(context: Run) -> None:
    told: list[Event] = []
    with pytest.raises(UserError, match=r"teacher\.again: temperature must be > 0"):
        prepared(context(None, told.append), again={**AGAIN, "temperature": -1.0})
    assert not told
