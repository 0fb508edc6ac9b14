"""The pipeline: one run, from what is asked to what is kept."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from kdistill.artifacts.environment import environment
from kdistill.artifacts.files import fingerprint, write_json, write_tensors, write_text
from kdistill.artifacts.result import ModelResult, Result
from kdistill.artifacts.run_folder import RunFolder, append_line
from kdistill.data.batch import Batch, Dataset
from kdistill.data.randomness import derived
from kdistill.data.transfer import Transfer
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.predict import validator
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.evaluate import (
    compression,
    gain,
    measure_models,
    test_logits,
    write_predictions,
)
from kdistill.events import EpochEnded, Event, Listener, StageEnded, StageStarted, Warned
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.loss import Loss
from kdistill.measures.classification import Classification
from kdistill.models.network import make_network
from kdistill.report.write import write_report
from kdistill.signals.ask import ask
from kdistill.signals.signals import Answers, Signals
from kdistill.signals.store import StoredAnswers, answers_folder
from kdistill.teachers.teacher import Context, Teacher


@dataclass(frozen=True)
class Parts:
    """Everything a run is made of. `student` is a module, or the config of one."""

    dataset: Dataset
    transfer: Transfer
    teacher: Teacher | None
    student: nn.Module | Mapping[str, Any]
    loss: Loss
    fit: Fit
    measure: Classification
    process: Process  # started
    name: str
    seed: int
    baseline: bool  # also train the same student without the teacher
    cache: Path | None  # of trained teachers and their answers, shared between runs
    config: Mapping[str, Any] = field(default_factory=dict)  # what the run folder keeps


def run(parts: Parts, folder: RunFolder, listener: Listener) -> Result:
    """Teach the student, and the same student alone; measure both beside the teacher; keep all.

    Raises UserError for parts that do not fit together, before anything is trained.
    """
    check_parts(parts)
    student = make_student(parts)
    rehearse(parts, student)
    listener = recorded(listener, folder.fresh())
    for warning in parts.dataset.warnings:
        listener(Warned(warning))
    twin = deepcopy(student)
    write_config(parts, folder)
    seconds: dict[str, float] = {}
    with timed(seconds, "total"):
        with timed(seconds, "teacher"):
            prepare_teacher(parts, folder, listener)
        with timed(seconds, "signals"):
            answers, signals = answers_for(parts, listener)
        with timed(seconds, "student"):
            train(parts, student, parts.loss, answers, "student", listener)
            write_tensors(folder.student, student.state_dict())
        networks = {"student": student}
        if parts.baseline:
            with timed(seconds, "baseline"):
                train(parts, twin, HardLabels(), None, "baseline", listener)
                write_tensors(folder.baseline, twin.state_dict())
                networks["baseline"] = twin
        with timed(seconds, "evaluate"):
            listener(StageStarted("evaluate"))
            if parts.teacher:
                networks["teacher"] = parts.teacher.network
            logits = test_logits(networks, parts.dataset, parts.process)
            models = measure_models(
                networks, parts.teacher, logits, parts.dataset, parts.measure, parts.process, folder
            )
            write_predictions(parts.dataset, logits, folder)
        listener(StageEnded("evaluate", seconds["evaluate"]))
    result = conclude(parts, models, logits, signals, seconds)
    result.write(folder.result)
    folder.failed.unlink(missing_ok=True)
    write_report(folder)
    return result


def check_parts(parts: Parts) -> None:
    """Refuse what the run cannot supply, before any weights exist."""
    check_teacher(parts.loss, parts.teacher)
    parts.fit.check(len(parts.dataset.validation) > 0, parts.measure.validated)
    labelled = parts.transfer.labelled(parts.dataset)
    if not labelled and (parts.loss.needs_labels or parts.baseline):
        who = "the loss" if parts.loss.needs_labels else "the baseline"
        raise UserError(
            f"transfer: {who} needs labels, and these inputs have none; "
            "set loss.hard_weight=0 baseline=false, or give labels"
        )
    if not len(parts.dataset.test) or parts.dataset.test.labels is None:
        raise UserError("dataset: without a labelled test set nothing can be measured")
    shapes = {"logits": torch.Size([len(parts.dataset.classes)])}
    parts.loss.bind(shapes, shapes)


def check_teacher(loss: Loss, teacher: Teacher | None) -> None:
    """Refuse a loss that wants a teacher where there is none."""
    if loss.teacher_needs and teacher is None:
        raise UserError("loss: it compares with a teacher, and there is none; use loss=hard_labels")


def rehearse(parts: Parts, student: nn.Module) -> None:
    """One step on two blank inputs, with copies: a student, loss or optimizer that does not work
    is told before hours of a teacher's training, in one line."""
    data, classes = parts.dataset, len(parts.dataset.classes)
    blank = torch.zeros(2, *data.input_shape, dtype=data.test.inputs[0].dtype)
    row = torch.zeros(2, dtype=torch.int64)
    batch, taught = Batch(blank, row, row, row), Signals(logits=torch.zeros(2, classes))
    objective = Objective(deepcopy(student), deepcopy(parts.loss))
    parts.fit.optimizer_for(objective, steps=1)
    try:
        logits = ask(objective.student, batch).logits
        total = objective(batch, taught)["total"]
        total.backward()
    except Exception as error:  # a user's own module may raise anything
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"student and loss: a step on two blank inputs fails: {said}") from error
    if logits is None or logits.shape != (2, classes):
        shape = None if logits is None else [*logits.shape]
        raise UserError(f"student: must answer with logits [batch, {classes}], got {shape}")


def prepare_teacher(parts: Parts, folder: RunFolder, listener: Listener) -> None:
    """Train or load the teacher, if there is one, and say in the run folder which it was."""
    if parts.teacher is not None:
        context = Context(parts.dataset, parts.process, parts.measure, parts.cache, listener)
        parts.teacher.prepare(context)
        write_json(folder.teacher, parts.teacher.reference())


def make_student(parts: Parts) -> nn.Module:
    """The untrained student, the same for the same seed; a module given is used as it is."""
    if isinstance(parts.student, nn.Module):
        return parts.student
    with torch.random.fork_rng():
        torch.manual_seed(student_seed(parts))
        return make_network(
            parts.student, parts.dataset.input_shape, len(parts.dataset.classes), key="student"
        )


def student_seed(parts: Parts) -> int:
    """Of its first weights, its dropout and its order of the data, which are not the teacher's."""
    return derived(parts.seed, "student")


def answers_for(parts: Parts, listener: Listener) -> tuple[Answers | None, dict[str, Any]]:
    """Who answers during training: nobody, the teacher live, or its stored answers."""
    teacher, needs = parts.teacher, parts.loss.teacher_needs
    if teacher is None or not needs:
        return None, {"mode": "none"}
    if parts.transfer.fresh:
        return teacher, {"mode": "live", "teacher": teacher.hash}
    examples = parts.transfer.examples(parts.dataset)
    folder = answers_folder(parts.cache, teacher.hash, examples, parts.process.precision)
    stored = StoredAnswers(teacher, folder, parts.process.device)
    stored.collect(examples, needs, listener, parts.dataset.name)
    counts = {"asked": stored.asked, "reused": stored.reused}
    return stored, {"mode": "stored", "teacher": teacher.hash, **counts}


def train(
    parts: Parts,
    student: nn.Module,
    loss: Loss,
    answers: Answers | None,
    stage: str,
    listener: Listener,
) -> None:
    """Fit `student` in place; validation decides what the fit config lets it."""
    data, process, seed = parts.dataset, parts.process, student_seed(parts)
    stream = parts.transfer.stream(data, parts.fit.batch_size, seed, process.device)
    validate = validator(data.validation, parts.measure.validate, process)
    objective = Objective(student, loss)
    parts.fit(
        objective, stream, answers, process, validate, stage=stage, seed=seed, listener=listener
    )


def conclude(
    parts: Parts,
    models: dict[str, ModelResult | None],
    logits: Mapping[str, Tensor],
    signals: dict[str, Any],
    seconds: dict[str, float],
) -> Result:
    """Put the figures side by side."""
    data, main = parts.dataset, parts.measure.main
    return Result(
        experiment=parts.name,
        seed=parts.seed,
        config_hash=fingerprint(dict(parts.config)),
        main=main,
        seconds=seconds,
        dataset={
            "name": data.name,
            "source": data.source,
            "train": len(data.train),
            "transfer": parts.transfer.count(data),
            "validation": len(data.validation),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
            "classes": list(data.classes),
            "note": data.note,
        },
        models=models,
        compression=compression(models["teacher"], models["student"]),
        gain=gain(models, logits, data.test.labels, main),
        signals=signals,
        environment=environment(parts.process.name),
        warnings=list(data.warnings),
    )


def write_config(parts: Parts, folder: RunFolder) -> None:
    """config.yaml, environment.json, student.yaml and teacher.json, before anything is trained."""
    write_json(folder.environment, environment(parts.process.name))
    write_text(folder.config, yaml.safe_dump(dict(parts.config), sort_keys=False))
    if not isinstance(parts.student, nn.Module):
        shape, classes = list(parts.dataset.input_shape), list(parts.dataset.classes)
        about = {"model": dict(parts.student), "input_shape": shape, "classes": classes}
        write_text(folder.student_config, yaml.safe_dump(about, sort_keys=False))


def recorded(listener: Listener, folder: RunFolder) -> Listener:
    """A listener that also appends every epoch to history.jsonl."""

    def hear(event: Event) -> None:
        if isinstance(event, EpochEnded):
            append_line(folder.history, asdict(event))
        listener(event)

    return hear


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long the block took."""
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started
