"""kdistill without Hydra: distil your own torch modules, and open what a run has kept."""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kdistill.artifacts.configs import read_config
from kdistill.artifacts.records import read_history
from kdistill.artifacts.result import ModelResult, Result
from kdistill.artifacts.run_arrays import read_predictions
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.weights import load_weights, read_student, read_weights
from kdistill.compose import compose
from kdistill.config.check import check_kept
from kdistill.data.loader import LoaderSet
from kdistill.data.spec import from_yaml
from kdistill.data.tensors import Array, from_tensors
from kdistill.data.transfer import TrainingSet
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Listener, Warned, silent
from kdistill.held_out import asked
from kdistill.losses.loss import Loss
from kdistill.losses.soft_targets import SoftTargets
from kdistill.models.network import Network, make_network, try_network
from kdistill.parts import Parts
from kdistill.pipeline import run
from kdistill.tasks.classification import Classification
from kdistill.tasks.task import Bench, Part
from kdistill.teachers.frozen import Frozen

UNTAUGHT = {"_target_": "kdistill.losses.hard_labels.HardLabels"}  # a loss that asks no teacher
Pair = tuple[Array, Array]


@dataclass(frozen=True)
class Run:
    """What a finished run has kept. `student` and `baseline` take the data's raw inputs."""

    folder: Path
    result: Result
    student: nn.Module  # eval mode, on the CPU
    baseline: nn.Module | None

    @property
    def config(self) -> dict[str, Any]:
        """The composed config; empty for a run made without Hydra."""
        return read_config(RunFolder(self.folder).config)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict an epoch, of teachers, student and baseline.

        An interrupted run may write an epoch again: its later line counts.
        """
        lines = read_history(RunFolder(self.folder).history)
        latest = {(line.stage, line.epoch): line for line in lines}
        return [dict(vars(line)) for line in latest.values()]

    @property
    def predictions(self) -> dict[str, Tensor]:
        """index, labels [n] and the test probabilities [n, classes] of each model."""
        return read_predictions(RunFolder(self.folder).kept("predictions"))


def distill(
    teacher: nn.Module,
    student: nn.Module,
    train: Pair | DataLoader[Any],
    test: Pair,
    folder: str | Path,
    *,
    validation: Pair | None = None,
    loss: Loss | None = None,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    fit: Fit | None = None,
    process: Process | None = None,
    baseline: bool = True,
    seed: int = 0,
    name: str = "library",
    listener: Listener = silent,
) -> Run:
    """Distil `teacher` into `student` (which is trained in place), and measure both in `folder`.

    train, validation, test: (inputs, labels), tensors or arrays, inputs in whatever units both
    modules take (uint8 is divided by 255). A DataLoader of such pairs as `train` is asked live
    each epoch; its order is its own. loss: SoftTargets(T=4, hard_weight=0.1); fit: AdamW with one
    cycle, for `epochs`. UserError for data or modules that do not fit together.
    """
    answering = Network.wrap(teacher)
    held = None if isinstance(train, DataLoader) else train
    dataset = from_tensors(held, test, validation, classes_of(answering, test[0]), name)
    optimizer = {"_target_": "torch.optim.AdamW", "lr": learning_rate}
    one_cycle = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": learning_rate}
    run(
        Parts(
            dataset=dataset,
            transfer=LoaderSet(train) if isinstance(train, DataLoader) else TrainingSet(),
            teacher=Frozen(answering),
            student=Network.wrap(student),
            loss=loss or SoftTargets(),
            fit=fit or Fit(epochs, batch_size, optimizer, one_cycle),
            task=Classification(),
            process=(process or Process()).start(),
            name=name,
            seed=seed,
            baseline=baseline,
            cache=None,
        ),
        RunFolder(Path(folder)),
        listener,
    )
    return load(folder, student)


def classes_of(teacher: nn.Module, inputs: Array) -> int:
    """How many classes a teacher tells apart; UserError when it cannot take such inputs."""
    try:
        with torch.no_grad():
            logits = deepcopy(teacher).cpu().eval()(torch.as_tensor(inputs[:1]))
    except Exception as error:  # a user's own module may raise anything
        shape = list(inputs.shape[1:])
        raise UserError(f"teacher: cannot take test inputs of shape {shape}: {error}") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise UserError("teacher: must answer with logits [batch, classes]")
    return logits.shape[1]


def load(folder: str | Path, student: nn.Module | None = None) -> Run:
    """Open a finished run; `student` is the module to fill where no config made the run's.

    UserError when the folder is not a finished run, or the student cannot be rebuilt.
    """
    kept = RunFolder(Path(folder)).finished()
    return Run(
        kept.path,
        Result.read(kept.result),
        rebuild(kept, kept.student, student),
        rebuild(kept, kept.baseline, student) if kept.baseline.is_file() else None,
    )


def rebuild(folder: RunFolder, weights: Path, module: nn.Module | None) -> nn.Module:
    """The network of student.yaml (or a copy of `module`) with `weights`, in eval mode."""
    about = read_student(folder.student_config) if folder.student_config.exists() else None
    state = read_weights(weights)
    if about:
        try:
            inputs = from_yaml(about)
        except ValueError as error:
            raise UserError(f"{folder.student_config}: damaged; {error}") from error
        key = f"{folder.student_config}: model"
        network = make_network(about["model"], inputs, about["offers"], None, key, state)
    elif module is not None:
        network = Network.wrap(deepcopy(module)).cpu()
    else:
        raise UserError(
            f"{folder.path}: its student was a module of yours; give it: load(run, MyNet())"
        )
    load_weights(network, state, str(weights))
    if about:  # numbers that say where to look may lead nowhere
        try_network(network, str(weights), inputs)
    return network.eval()


def evaluate_run(
    folder: Path, listener: Listener = silent, device: str | None = None
) -> dict[str, ModelResult]:
    """Measure a finished run's student and baseline again, from their weights and the data.

    device: auto | cpu | cuda | mps instead of the run's own. UserError when the data are others.
    """
    kept = load(folder)
    check_kept(kept.config, RunFolder(folder).config)
    config = {**kept.config, "teacher": None, "loss": UNTAUGHT, "cache": False}
    if device:
        config["device"] = {**config["device"], "kind": device}
    parts = compose(config)
    networks = {"student": kept.student, "baseline": kept.baseline}
    if parts.dataset.fingerprint != kept.result.dataset["fingerprint"]:
        raise UserError(
            f"{folder}: the data are not those of the run ({parts.dataset.name}, "
            f"{parts.dataset.source}); run it where the run was made, or restore dataset.path"
        )
    present = {name: net.to(parts.process.device) for name, net in networks.items() if net}
    for warning in parts.dataset.warnings:
        listener(Warned(warning))
    parts.task.bind(parts.dataset, kept.result.models["teacher"] is not None)
    again = parts.task.again(_bench(kept, parts, present))
    return {name: ModelResult(figures) for name, figures in again.items() if name in present}


def _bench(run: Run, parts: Parts, students: dict[str, nn.Module]) -> Bench:
    """What the task of a finished run judges again: the models, and the teacher as it is kept."""
    dataset, process = parts.dataset, parts.process
    file = RunFolder(run.folder).kept("predictions")
    taught = parts.task.recalled(lambda name: run.predictions)

    @cache
    def answers(model: str, part: Part) -> Tensor:
        if model == "teacher" and taught is not None:
            return taught
        answer = asked(model, students[model], dataset, part, process)
        if taught is not None and part == "test" and taught.shape != answer.shape:
            raise UserError(f"{file}: damaged; it is not of the test data of the run")
        return answer

    return Bench(
        dataset,
        process,
        parts.seed,
        {**({} if taught is None else {"teacher": None}), **students},
        answers,
        members=lambda part: (),
        cost=lambda model: None,
        member_costs=lambda: (),
        seconds={},
        keep=lambda name, tensors: None,
    )
