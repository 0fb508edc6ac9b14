"""plan(): what a run would do, what it would reuse and roughly how long it would take."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from kdistill.artifacts.files import fingerprint
from kdistill.compose import make_loss, make_teacher
from kdistill.config.build import build, to_plain
from kdistill.config.check import check
from kdistill.data.plan import DatasetPlan
from kdistill.engine.process import Process
from kdistill.measures.cost import multiply_adds
from kdistill.models.network import make_network
from kdistill.paths import cache_folder

SHARE_OF_PEAK = 0.5  # what training reaches of the speed of a bare matrix product
FORWARD_AND_BACKWARD = 3  # times the arithmetic of a forward pass


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


def plan(config: Any) -> Plan:
    """Check everything that can be checked, look for data and stored teachers; run nothing.

    UserError as for the run itself.
    """
    plain: dict[str, Any] = to_plain(config)
    check(plain)
    source, teacher = build(plain["dataset"], key="dataset"), make_teacher(plain)
    loss, fit, process = (
        make_loss(plain["loss"]),
        build(plain["fit"], key="fit"),
        build(plain["device"], key="device").start(),
    )
    build(plain["transfer"], key="transfer"), build(plain["measure"], key="measure")
    data: DatasetPlan = source.plan()
    name = None if data.source == "download" else source.load().fingerprint
    cache = cache_folder() if plain["cache"] else None
    estimate = Estimate(data, process)
    steps, heaviest, asking = [], estimate.parameters(plain["student"]), 0.0
    for training in teacher.trainings(name, process.precision, cache) if teacher else []:
        took = estimate.training(training.model, training.epochs)
        kept = 4 * estimate.parameters(training.model)
        heaviest = max(heaviest, kept // 4)
        what = f"{target_name(training.model)}, {training.what}"
        steps.append(
            Step(training.stage, what, training.reused, 0 if training.reused else took, kept)
        )
        asking += estimate.asking(training.model) or 0.0
    answers = 0
    if teacher and loss.teacher_needs:
        answers = data.train * len(data.classes) * 4
        live = bool(plain["transfer"].get("augmentation"))
        stored = not live and _answered(teacher.hash, name, process, cache)
        if live:
            what, seconds = (
                "the teacher answers live: inputs are new each epoch",
                asking * fit.epochs,
            )
        else:
            what, seconds = f"{data.train} inputs asked once", 0.0 if stored else asking
        steps.append(Step("signals", what, stored, seconds, 0 if live else answers))
    for stage in ("student", "baseline") if plain["baseline"] else ("student",):
        took = estimate.training(plain["student"], fit.epochs)
        what = f"{target_name(plain['student'])}, {fit.epochs} epochs"
        steps.append(Step(stage, what, False, took, 4 * estimate.parameters(plain["student"])))
    memory = data.bytes + answers + 16 * heaviest  # weights, gradients and two moments, fp32
    return Plan(plain["name"], data, process.name, target_name(plain["loss"]), steps, memory)


def _answered(teacher: str | None, data: str | None, process: Process, cache: Any) -> bool:
    if not (teacher and data and cache):
        return False
    key = fingerprint(teacher, data, process.precision)
    return (cache / "answers" / key / "answers.json").is_file()


def target_name(config: Mapping[str, Any]) -> str:
    """The class a config names, without its package."""
    return str(config["_target_"]).rpartition(".")[2]


class Estimate:
    """Seconds from multiply-adds, and the speed of a matrix product measured here and now."""

    def __init__(self, data: DatasetPlan, process: Process) -> None:
        self.data = data
        self.rate = SHARE_OF_PEAK * _multiply_adds_per_second(process)
        self._networks: dict[str, tuple[int, int | None]] = {}

    def _counted(self, model: Mapping[str, Any]) -> tuple[int, int | None]:
        key = fingerprint(dict(model))
        if key not in self._networks:
            network = make_network(model, self.data.input_shape, len(self.data.classes))
            parameters = sum(each.numel() for each in network.parameters())
            counted = multiply_adds(network, torch.zeros(1, *self.data.input_shape))
            self._networks[key] = parameters, counted
        return self._networks[key]

    def parameters(self, model: Mapping[str, Any]) -> int:
        """How many numbers the model learns."""
        return self._counted(model)[0]

    def asking(self, model: Mapping[str, Any]) -> float | None:
        """Seconds to ask it about the training set once."""
        counted = self._counted(model)[1]
        return None if counted is None else counted * self.data.train / self.rate

    def training(self, model: Mapping[str, Any], epochs: int) -> float | None:
        """Seconds to train it so many epochs."""
        once = self.asking(model)
        return None if once is None else once * FORWARD_AND_BACKWARD * epochs


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
