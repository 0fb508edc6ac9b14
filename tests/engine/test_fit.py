"""The loop: what plain torch would do, and each of its options."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import EpochStream
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.engine.terms import Diverged
from kdistill.errors import UserError
from kdistill.events import EpochEnded, silent
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.logits import Logits
from kdistill.models.mlp import MLP
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.tasks.classification import Classification

CPU = torch.device("cpu")
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}


@pytest.fixture(scope="module")
def examples() -> Examples:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 6, generator=generator)
    labels = (inputs @ torch.randn(6, 3, generator=generator)).argmax(1)
    return Examples(inputs, labels, torch.arange(50))


def network(dropout: float = 0.0, max_norm: float | None = None) -> nn.Module:
    torch.manual_seed(1)
    return MLP([8], (6,), 3, dropout=dropout, max_norm=max_norm)


def fitted(examples: Examples, student: nn.Module, loss=None, teacher=None, **keys: Any):
    options = {"epochs": 3, "batch_size": 8, "optimizer": SGD, **keys}
    listener, validate = options.pop("listener", silent), options.pop("validate", lambda _: {})
    stream = EpochStream(examples, options["batch_size"], 5, CPU)
    objective = Objective(student, loss or HardLabels(), Classification().watch)
    process = Process("cpu", "fp32").start()
    fit = Fit(**options)
    return fit(
        objective,
        stream,
        teacher,
        process,
        validate,
        stage="student",
        seed=7,
        listener=listener,
    )


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_is_the_loop_that_everybody_writes(examples: Examples) -> None:
    reference = network()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=21)
    stream = EpochStream(examples, 8, 5, CPU)
    for _ in range(21):  # three epochs of seven batches
        batch = next(stream)
        optimizer.zero_grad()
        F.cross_entropy(reference(batch.inputs), batch.targets).backward()
        optimizer.step()
        scheduler.step()
    one_cycle = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.2}
    assert same(fitted(examples, network(), scheduler=one_cycle), reference)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(examples: Examples) -> None:
    first = fitted(examples, network(dropout=0.5))
    torch.rand(17)
    assert same(first, fitted(examples, network(dropout=0.5)))


def test_clipping_covers_everything_that_is_trained(examples: Examples) -> None:
    class Projected(Logits):
        def bind(self, student, teacher):
            self.projector = nn.Linear(3, 3)

        def forward(self, student, teacher, batch):
            return super().forward(
                Signals({ANSWER: self.projector(student[ANSWER]) * 100}), teacher, batch
            )

    class Zeros:
        def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
            return Signals({ANSWER: torch.zeros(len(batch), 3)})

    loss, student = Projected(), network()
    loss.bind({}, {})
    before = [p.detach().clone() for p in (*student.parameters(), *loss.parameters())]
    plain = {"_target_": "torch.optim.SGD", "lr": 1.0}
    whole = {"epochs": 1, "batch_size": 50, "optimizer": plain}
    fitted(examples, student, loss, Zeros(), clip=0.25, **whole)
    after = [p.detach() for p in (*student.parameters(), *loss.parameters())]
    moved = torch.cat([(b - a).flatten() for a, b in zip(after, before, strict=True)]).norm()
    torch.testing.assert_close(moved, torch.tensor(0.25), rtol=1e-3, atol=0)


def test_average_is_the_exponential_moving_average_of_the_weights(examples: Examples) -> None:
    student, seen = network(), []
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
    stream = EpochStream(examples, 8, 5, CPU)
    for _ in range(7):
        batch = next(stream)
        optimizer.zero_grad()
        F.cross_entropy(student(batch.inputs), batch.targets).backward()
        optimizer.step()
        seen.append(deepcopy(student.state_dict()))
    expected = seen[0]
    for state in seen[1:]:
        expected = {name: 0.9 * expected[name] + 0.1 * state[name] for name in expected}
    averaged = fitted(examples, network(), epochs=1, average=0.9).state_dict()
    torch.testing.assert_close(averaged, expected)


def test_early_stopping_keeps_the_best(examples: Examples) -> None:
    scripted, states, epochs = iter([5.0, 3.0, 4.0, 3.0, 9.0]), [], []

    def validate(student: nn.Module) -> dict[str, float]:
        states.append(deepcopy(student.state_dict()))
        return {"errors": next(scripted)}

    kept = fitted(
        examples, network(), epochs=9, patience=2, validate=validate, listener=epochs.append
    )
    assert sum(isinstance(event, EpochEnded) for event in epochs) == 4  # 2 without a new best
    assert all(torch.equal(kept.state_dict()[name], states[1][name]) for name in states[1])


def test_keep_last_is_the_last_whatever_validation_says(examples: Examples) -> None:
    rising = iter([1.0, 2.0, 3.0])
    kept = fitted(examples, network(), validate=lambda _: {"errors": next(rising)})
    assert same(kept, fitted(examples, network()))


def test_divergence_names_step_term_and_learning_rate(examples: Examples) -> None:
    class Explodes(HardLabels):
        steps = 0

        def forward(self, student, teacher, batch):
            self.steps += 1
            terms = super().forward(student, teacher, batch)
            factor = float("nan") if self.steps == 10 else 1.0
            return {"total": terms["total"], "hidden": terms["total"] * factor}

    with pytest.raises(Diverged, match=r"'hidden' became nan at step 10 \(learning rate 0.1\)"):
        fitted(examples, network(), Explodes())


def test_max_norm_holds_after_training(examples: Examples) -> None:
    student = fitted(examples, network(max_norm=0.3))
    assert student.hidden[0].weight.norm(dim=1).max() <= 0.3 + 1e-6
    assert fitted(examples, network()).hidden[0].weight.norm(dim=1).max() > 0.6


def test_the_student_trains_in_train_mode_every_epoch(examples: Examples) -> None:
    modes, student = [], network(dropout=0.5)

    def validate(module: nn.Module) -> dict[str, float]:
        module.eval()  # as any validation would leave it
        return {"errors": 1.0}

    student.register_forward_hook(lambda module, *_: modes.append(module.training))
    trained = fitted(examples, student, validate=validate)
    assert modes == [True] * 21
    assert not trained.training


def test_terms_are_means_over_samples(examples: Examples) -> None:
    frozen = {"_target_": "torch.optim.SGD", "lr": 0.0}
    events: list[Any] = []
    student = network()
    fitted(examples, student, epochs=1, optimizer=frozen, listener=events.append)
    (ended,) = (event for event in events if isinstance(event, EpochEnded))
    whole = F.cross_entropy(student(examples.inputs), examples.targets).item()
    assert ended.terms["total"] == pytest.approx(whole, rel=1e-6)  # 50 is no multiple of 8
    assert set(ended.terms) == {"total"}
    right = (student(examples.inputs).argmax(1) == examples.targets).float().mean().item()
    assert ended.training == {"accuracy": pytest.approx(right)}


def test_terms_are_means_over_the_positions_that_count(examples: Examples) -> None:
    frozen = {"_target_": "torch.optim.SGD", "lr": 0.0}
    inputs = examples.inputs.view(10, 5, -1)
    targets = examples.targets.view(10, 5)
    mask = torch.rand(10, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    mask[3:6] = False  # whole batches, too
    positions = Examples(inputs, targets, torch.arange(10), mask=mask)
    events: list[Any] = []
    student = nn.Linear(6, 3)
    keys = {"epochs": 1, "optimizer": frozen, "listener": events.append, "batch_size": 1}
    fitted(positions, student, **keys)
    (ended,) = (event for event in events if isinstance(event, EpochEnded))
    logits, labels = student(inputs)[mask], targets[mask]
    assert ended.terms["total"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-6)
    right = (logits.argmax(1) == labels).float().mean().item()
    assert ended.training == {"accuracy": pytest.approx(right)}


def test_without_labels_no_training_accuracy_is_told(examples: Examples) -> None:
    events: list[Any] = []

    class Taught:
        def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
            return Signals({ANSWER: torch.zeros(len(batch), 3)})

    unlabelled = replace(examples, targets=None)
    fitted(unlabelled, network(), Logits(), Taught(), epochs=1, listener=events.append)
    (ended,) = (event for event in events if isinstance(event, EpochEnded))
    assert ended.training == {}


def test_plateau_scheduler_follows_validation(examples: Examples) -> None:
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 0}
    events: list[Any] = []
    keys = {"scheduler": plateau, "validate": lambda _: {"errors": 1.0}, "listener": events.append}
    fitted(examples, network(), interval="epoch", **keys)
    rates = [event.learning_rate for event in events if isinstance(event, EpochEnded)]
    assert rates == pytest.approx([0.1, 0.01, 0.001])
    with pytest.raises(UserError, match="interval must be epoch"):
        Fit(1, 8, SGD, plateau).check(True, ["errors"])


def test_what_validation_cannot_give_is_refused() -> None:
    with pytest.raises(UserError, match="monitor=loss is not measured; choose from errors, nll"):
        Fit(1, 8, SGD, monitor="loss").check(True, ["errors", "nll"])
    for keys in ({"patience": 2}, {"keep": "best"}):
        Fit(1, 8, SGD, **keys).check(True, ["errors"])
        with pytest.raises(UserError, match="set dataset.validation"):
            Fit(1, 8, SGD, **keys).check(False, ["errors"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"epochs": 0}, "epochs must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"clip": -1}, "clip must be > 0"),
        ({"average": 1.0}, "average must be between 0 and 1"),
        ({"keep": "first"}, "keep must be last or best"),
        ({"interval": "week"}, "interval must be step or epoch"),
        ({"patience": 0}, "patience must be >= 1"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fit(**{"epochs": 1, "batch_size": 1, "optimizer": SGD, **keys})
