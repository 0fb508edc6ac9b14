"""plan(): what a run would do, what it would reuse and roughly how long it would take."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from kdistill.artifacts.files import fingerprint
from kdistill.checks import check_chains, check_parts, rehearse
from kdistill.compose import Recipe, assembled, recipe
from kdistill.data.batch import Batch, Dataset
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import blank
from kdistill.engine.process import Process
from kdistill.events import silent
from kdistill.measures.cost import multiply_adds
from kdistill.models.abilities import SWEEP, Chain
from kdistill.models.network import inner, make_network
from kdistill.parts import make_student
from kdistill.signals.ask import ask
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import (
    STORED_BYTES,
    StoredAnswers,
    answers_folder,
    stored_bytes,
    stored_for,
)
from kdistill.teachers.teacher import FORWARD_AND_BACKWARD, Context

SHARE_OF_PEAK = 0.5  # what training reaches of the speed of a bare matrix product


@dataclass(frozen=True)
class Step:
    """One thing the run would do."""

    stage: str
    what: str
    reused: bool
    seconds: float | None  # a rough estimate; None: not known
    bytes: int = 0  # that it keeps on disk


@dataclass(frozen=True)
class Plan:
    """The run as `kdistill check` prints it."""

    name: str
    dataset: DatasetPlan
    device: str
    loss: str
    steps: list[Step]
    memory_bytes: int  # inputs, answers, the largest model trained with its gradients and moments

    @property
    def seconds(self) -> float | None:
        """Of all steps; None when one is not known."""
        known = [step.seconds for step in self.steps if step.seconds is not None]
        return sum(known) if len(known) == len(self.steps) else None


def checked(
    config: Any, known: dict[str, Dataset] | None = None
) -> tuple[Recipe, DatasetPlan, Dataset | None]:
    """The objects of a config, its data as a plan, and the data where they are at hand; then all
    is checked that a run checks before its teacher trains, and one that is only loaded is loaded.

    known: the last data, by their config, which the next job of a sweep may share. UserError as for
    the run itself.
    """
    made, known = recipe(config), {} if known is None else known
    data, key = made.source.plan(), fingerprint(made.config["dataset"])
    if data.source == "download":
        check_chains(made.transfer, made.teacher, made.fit)
        made.fit.check(data.validation > 0, made.task.validated)
        return made, data, None
    dataset = known.get(key) or made.source.load()
    known.clear()
    known[key] = dataset
    parts = assembled(made, dataset)
    check_parts(parts)
    rehearse(parts, make_student(parts))
    if made.teacher:
        trainings = made.teacher.trainings(dataset.fingerprint, made.process.precision, None)
        if not any(each.epochs for each in trainings):
            made.teacher.prepare(Context(dataset, made.process, made.task, None, silent))
    return made, data, dataset


def plan(config: Any, known: dict[str, Dataset] | None = None) -> Plan:
    """What `checked` has found nothing wrong with, step by step; run nothing."""
    made, data, at_hand = checked(config, known)
    fit, process = made.fit, made.process
    name = at_hand.fingerprint if at_hand else None
    inputs = made.transfer.count(at_hand) if at_hand else data.train
    epochs = fit.epochs * (made.transfer.passes(at_hand) if at_hand else 1)
    estimate = Estimate(data, process, made.task.offers() if at_hand else _offers(data))
    steps: list[Step] = []
    asking, largest = 0.0, estimate.parameters(made.student, "student")
    teacher = made.teacher
    trainings = teacher.trainings(name, process.precision, made.cache) if teacher else []
    for each in trainings:
        took = estimate.training(each.model, data.train, each.epochs, each.passes)
        parameters = estimate.parameters(each.model)
        what = f"{target_name(each.model)}, {each.what}"
        steps.append(
            Step(each.stage, what, each.reused, 0.0 if each.reused else took, 4 * parameters)
        )
        asking += estimate.asking(each.model, inputs) or 0.0
        largest = max(largest, parameters)
    answers, needs, fresh = (
        0,
        made.loss.teacher_needs,
        made.transfer.fresh or made.loss.needs_samples,
    )
    if teacher and needs:
        answers = stored_bytes(estimate.answer(trainings[0].model, needs), needs, inputs)
    if not answers:
        pass
    elif fresh or answers > STORED_BYTES:
        why = "inputs are new each epoch" if fresh else "too much to store"
        what = f"the teacher answers live: {why}"
        steps.append(Step("signals", what, False, asking * epochs))
        answers = 0
    else:
        missing = _unanswered(made, at_hand) if at_hand else inputs
        what = f"{inputs} inputs, each asked once; {inputs - missing} are answered already"
        steps.append(Step("signals", what, not missing, asking * missing / inputs, answers))
    for stage in ("student", "baseline") if made.config["baseline"] else ("student",):
        took = estimate.training(made.student, inputs, epochs)
        what = f"{target_name(made.student)}, {fit.epochs} epochs"
        steps.append(Step(stage, what, False, took, 4 * estimate.parameters(made.student)))
    if trainings and estimate.has_chains(trainings[0].model):
        for sweeps in (*made.transfer.steps(fit.epochs), *made.task.steps()):
            took = estimate.asking(trainings[0].model, SWEEP * sweeps.count)
            steps.append(Step(sweeps.stage, sweeps.what, False, took))
    memory = data.bytes + answers + 16 * largest  # fp32 weights, gradients and two moments
    loss = target_name(made.config["loss"])
    return Plan(made.config["name"], data, process.name, loss, steps, memory)


def _offers(data: DatasetPlan) -> dict[str, int]:
    """What the task will offer, as far as data that are not at hand can say."""
    return {"classes": len(data.classes)} if data.classes else {}


def _unanswered(made: Recipe, dataset: Dataset) -> int:
    """How many inputs the teacher would have to be asked about."""
    teacher, process = made.teacher, made.process
    examples = made.transfer.examples(dataset)
    if teacher is None:
        return 0
    folder = answers_folder(made.cache, teacher.hash, examples, process.precision)
    stored = StoredAnswers(teacher, folder, process.device)
    return stored.missing(examples, made.loss.teacher_needs)


def target_name(config: Mapping[str, Any]) -> str:
    """The class a config names, without its package."""
    return str(config["_target_"]).rpartition(".")[2]


@dataclass(frozen=True)
class Counted:
    """What a model is made of."""

    parameters: int
    multiply_adds: int | None  # for an input; None: not known
    chains: bool


class Estimate:
    """Seconds from multiply-adds, and the speed of a matrix product measured here and now."""

    def __init__(self, data: DatasetPlan, process: Process, offers: Mapping[str, Any]) -> None:
        self.data, self.offers = data, offers
        self.rate = SHARE_OF_PEAK * _multiply_adds_per_second(process)
        self._networks: dict[str, Counted] = {}

    def _counted(self, model: Mapping[str, Any], place: str = "teacher.model") -> "Counted":
        key = fingerprint(dict(model))
        if key not in self._networks:
            network = make_network(model, self.data.inputs, self.offers, key=place)
            parameters = sum(each.numel() for each in network.parameters())
            counted = multiply_adds(network, blank(self.data.inputs, 1))
            chains = isinstance(inner(network), Chain)
            self._networks[key] = Counted(parameters, counted, chains)
        return self._networks[key]

    def parameters(self, model: Mapping[str, Any], place: str = "teacher.model") -> int:
        """How many numbers the model learns; `place` is where its config stands, for an error."""
        return self._counted(model, place).parameters

    def has_chains(self, model: Mapping[str, Any]) -> bool:
        """Whether it is sampled by Gibbs sweeps alone."""
        return self._counted(model).chains

    def answer(self, model: Mapping[str, Any], needs: frozenset[Signal]) -> Signals:
        """What is stored for `needs`, of a model of that config: to two blank inputs."""
        network = make_network(model, self.data.inputs, self.offers, key="teacher.model")
        with torch.no_grad():
            return ask(network.eval(), Batch(blank(self.data.inputs, 2)), stored_for(needs))

    def asking(self, model: Mapping[str, Any], inputs: int) -> float | None:
        """Seconds to ask it about so many inputs."""
        counted = self._counted(model).multiply_adds
        return None if counted is None else counted * inputs / self.rate

    def training(
        self,
        model: Mapping[str, Any],
        inputs: int,
        epochs: int,
        passes: float = FORWARD_AND_BACKWARD,
    ) -> float | None:
        """Seconds to train it on so many inputs for so many epochs, each at so many passes."""
        once = self.asking(model, inputs)
        return None if once is None else once * passes * epochs


def _multiply_adds_per_second(process: Process) -> float:
    size = 1024
    left = torch.randn(size, size, device=process.device)
    times = []
    with torch.no_grad(), process.autocast():
        for _ in range(4):  # the first warms up
            started = time.perf_counter()
            float((left @ left).sum())  # reading a number waits for the device
            times.append(time.perf_counter() - started)
    return float(size**3 / min(times))
