"""The pipeline: one run, from what is asked to what is kept."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from kdistill import ranks
from kdistill.artifacts.environment import environment
from kdistill.artifacts.files import finite, write_json, write_tensors, write_text
from kdistill.artifacts.records import read_asked, read_stages, read_warnings
from kdistill.artifacts.result import Cost, Result, Table
from kdistill.artifacts.run_folder import RunFolder, append_line
from kdistill.artifacts.weights import load_weights, read_weights
from kdistill.checks import check_parts, rehearse
from kdistill.data.batch import Batch, Stream
from kdistill.data.spec import blank, to_yaml
from kdistill.data.student_samples import Exact, WithSamples
from kdistill.engine import stop
from kdistill.engine.objective import Objective
from kdistill.engine.predict import validator
from kdistill.engine.resume import ResumePoint
from kdistill.errors import UserError
from kdistill.events import (
    EpochEnded,
    Event,
    Listener,
    StageEnded,
    StageStarted,
    Warned,
    silent,
)
from kdistill.held_out import HeldOut, asked
from kdistill.losses.loss import Loss
from kdistill.measures.cost import cost
from kdistill.models.network import inner
from kdistill.outcome import result_of, seconds_of
from kdistill.parts import Parts, make_student, student_seed
from kdistill.report.write import write_report
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Answers
from kdistill.signals.store import STORED_BYTES, stored_bytes, stored_for
from kdistill.students.repair import repair
from kdistill.tasks.task import Bench, Part
from kdistill.teachers.teacher import Context, Tabulated, Teacher, stored_answers


def run(parts: Parts, folder: RunFolder, listener: Listener) -> Result:
    """Teach the student, and the same student alone; measure both beside the teacher; keep all.

    What an interrupted run of the same config has finished in `folder` is not done again. Raises
    UserError for parts that do not fit together, before anything is trained; Stopped by a signal.
    """
    check_parts(parts)
    student = make_student(parts)
    rehearse(parts, student)
    twin = deepcopy(student)
    with folder.locked() if ranks.first() else nullcontext():
        if ranks.first():
            folder.begin(parts.config)
            write_config(parts, folder)
        ranks.agree(None)  # nobody reads the folder before it is ready
        work = Work(parts, folder, listener)
        for warning in parts.dataset.warnings:
            work.tell(Warned(warning))
        work.prepare_teacher()
        answers, signals = work.answers()
        work.train(student, parts.loss, answers, "student")
        networks = {"student": student}
        if parts.baseline:
            alone = parts.task.alone()
            assert alone is not None  # check_parts
            work.train(twin, alone, None, "baseline")
            networks["baseline"] = twin
        return ranks.decided(lambda: work.conclude(networks, signals))


class Work:
    """The stages of a run in its folder, each done once however often the run is interrupted."""

    def __init__(self, parts: Parts, folder: RunFolder, listener: Listener) -> None:
        self.parts, self.folder = parts, folder
        self.listener = listener if ranks.first() else silent
        self.context = Context(
            parts.dataset,
            parts.process,
            parts.task,
            parts.cache or folder.work / "cache",
            self.tell,
            self.resume_point,
        )
        self.held_out = HeldOut(parts.teacher, self.context)

    def tell(self, event: Event) -> None:
        """Pass `event` on; epochs and ended stages are kept as well."""
        if ranks.first() and isinstance(event, EpochEnded):
            append_line(self.folder.history, asdict(event))
        if ranks.first() and isinstance(event, StageEnded) and not event.reused:
            line = {"stage": event.stage, "seconds": event.seconds}
            append_line(self.folder.stages, line)
        if ranks.first() and isinstance(event, Warned):
            append_line(self.folder.warnings, {"message": event.message})
        self.listener(event)

    def resume_point(self, stage: str) -> ResumePoint:
        """Where the training of that stage leaves its state."""
        name = "".join(letter if letter.isalnum() else "_" for letter in stage)
        path = self.folder.work / f"{name}.pt"
        return ResumePoint(path, self.parts.save_every, lambda text: self.tell(Warned(text)))

    def trained(self, model: str) -> Path:
        """Where its weights lie once they are trained: in place, or aside until repaired."""
        file = self.folder.weights(model)
        return self.folder.work / file.name if self.parts.repair else file

    def prepare_teacher(self) -> None:
        """Train or load the teacher, if there is one, and say in the run folder which it was."""
        parts = self.parts
        if parts.teacher is not None:
            parts.teacher.prepare(self.context)
            if ranks.first():
                write_json(self.folder.teacher, finite(parts.teacher.reference()))
                self._doubt()

    def _doubt(self) -> None:
        held, task = self.parts.dataset.validation, self.parts.task
        if not len(held) or held.targets is None:
            return
        if warning := task.doubts(self.held_out.teacher("validation"), held):
            self.tell(Warned(warning))

    def answers(self) -> tuple[Answers | None, dict[str, Any]]:
        """Who answers during training: nobody, the teacher live, or its stored answers."""
        parts, kept = self.parts, self.folder.signals
        teacher, needs = parts.teacher, parts.loss.teacher_needs
        if teacher is None or not needs:
            return None, {"mode": "none"}
        data = parts.dataset
        fresh = parts.transfer.fresh or parts.loss.needs_samples
        if fresh or self._size(teacher, needs) > STORED_BYTES:
            return teacher, {"mode": "live", "teacher": teacher.hash}
        stored = stored_answers(teacher, parts.transfer.examples(data), needs, self.context)
        signals = {"asked": stored.asked, "reused": stored.reused}
        if ranks.first():
            if kept.is_file():  # what was asked before an interruption was asked by this run
                signals = vars(read_asked(kept))
            write_json(kept, signals)
        return stored, {"mode": "stored", "teacher": teacher.hash, **signals}

    def _size(self, teacher: Teacher, needs: frozenset[Signal]) -> int:
        """Bytes of the teacher's answers about the whole transfer set."""
        data = self.parts.dataset
        two = Batch(blank(data.inputs, 2)).to(self.parts.process.device)
        answer = teacher.answer(two, stored_for(needs))
        return stored_bytes(answer, needs, self.parts.transfer.count(data))

    def train(self, student: nn.Module, loss: Loss, answers: Answers | None, stage: str) -> None:
        """Fit `student` in place and write its weights, or read those written before.

        Validation decides what the fit config lets it.
        """
        file = self.trained(stage)
        parts, process, seed = self.parts, self.parts.process, student_seed(self.parts)
        resume = self.resume_point(stage)
        if ranks.agree(file.is_file()) and self._finished(student, stage, file):
            return
        stream = self.stream(student, loss, stage)
        validate = validator(parts.dataset.validation, parts.task, process)
        with stop.deferred():
            parts.fit(
                Objective(student, loss, parts.task.watch),
                stream,
                answers,
                process,
                validate,
                stage=stage,
                seed=seed,
                listener=self.tell,
                resume=resume,
            )
            if ranks.first():
                write_tensors(file, student.state_dict())
            resume.remove()

    def stream(self, student: nn.Module, loss: Loss, stage: str) -> Stream:
        """The inputs of that stage, and the student's own samples where the loss needs them."""
        parts, seed = self.parts, student_seed(self.parts)
        transfer = parts.transfer if stage == "student" else parts.transfer.alone()
        sampler = inner(parts.teacher.network) if parts.teacher else None
        stream = transfer.stream(
            parts.dataset, parts.fit.batch_size, seed, parts.process.device, sampler
        )
        return WithSamples(stream, Exact(inner(student)), seed) if loss.needs_samples else stream

    def _finished(self, student: nn.Module, stage: str, file: Path) -> bool:
        """Load what was trained before an interruption; False, with a warning, when damaged."""
        try:
            load_weights(student, read_weights(file), str(file))
        except UserError as error:
            self.tell(Warned(f"{error}; it is trained again"))
            return False
        self.parts.process.place(student).eval()
        self.tell(StageEnded(stage, 0.0, True, "trained before the interruption"))
        return True

    def repaired(self, students: dict[str, nn.Module]) -> list[Table]:
        """What shifting the logits of classes that the transfer set lacks does to `students`, and
        did to them if the run says so."""
        parts = self.parts
        if not (omitted := parts.transfer.lacking(parts.dataset)):
            return []
        how = parts.process, parts.repair, self.folder
        return [repair(students, omitted, parts.dataset, *how)]

    def bench(self, models: Mapping[str, nn.Module]) -> Bench:
        """What the task judges."""
        parts, folder, held_out = self.parts, self.folder, self.held_out
        inputs, device = parts.dataset.inputs, parts.process.device

        @cache
        def answers(model: str, part: Part) -> Tensor:
            if model == "teacher":
                return held_out.teacher(part)
            return asked(model, models[model], parts.dataset, part, parts.process)

        def cost_of(model: str) -> Cost:
            file = None if model == "teacher" else folder.weights(model)
            return cost(models[model], inputs, file, device)

        def member_costs() -> list[Cost]:
            members = parts.teacher.members if parts.teacher else ()
            return [cost(member, inputs, None, device, batch_sizes=()) for member in members]

        return Bench(
            parts.dataset,
            parts.process,
            parts.seed,
            models,
            answers,
            held_out.members,
            cost_of,
            member_costs,
            seconds_of(read_stages(folder.stages)),
            lambda name, tensors: write_tensors(folder.path / f"{name}.safetensors", tensors),
            parts.config,
        )

    def conclude(self, networks: dict[str, nn.Module], signals: dict[str, Any]) -> Result:
        """Measure all models, put the figures side by side and write the report."""
        parts, folder, started = self.parts, self.folder, time.monotonic()
        self.tell(StageStarted("evaluate"))
        repaired = self.repaired(networks)
        if parts.teacher:
            networks["teacher"] = parts.teacher.network
        found = parts.task.judge(self.bench(networks))
        found.tables[:0] = repaired
        if isinstance(parts.teacher, Tabulated):
            found.tables.extend(parts.teacher.tables(parts.dataset, parts.process))
        for warning in found.warnings:
            self.tell(Warned(warning))
        self.tell(StageEnded("evaluate", time.monotonic() - started))
        seconds = seconds_of(read_stages(folder.stages))
        told = dict.fromkeys(warning.message for warning in read_warnings(folder.warnings))
        result = result_of(parts, found, signals, seconds, [*told])
        result.write(folder.result)
        write_report(folder)
        folder.end()
        return result


def write_config(parts: Parts, folder: RunFolder) -> None:
    """config.yaml, environment.json and student.yaml, before anything is trained."""
    write_json(folder.environment, environment(parts.process.name))
    write_text(folder.config, yaml.safe_dump(dict(parts.config), sort_keys=False))
    if not isinstance(parts.student, nn.Module):
        data, offers = parts.dataset, dict(parts.task.offers())
        inputs, classes = to_yaml(data.inputs), [*data.classes]
        about = {"model": dict(parts.student), **inputs, "classes": classes, "offers": offers}
        write_text(folder.student_config, yaml.safe_dump(about, sort_keys=False))
