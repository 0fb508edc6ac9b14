"""The pipeline: one run, from what is asked to what is kept."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from kdistill import ranks
from kdistill.artifacts.environment import environment
from kdistill.artifacts.files import (
    fingerprint,
    read_json,
    write_json,
    write_tensors,
    write_text,
)
from kdistill.artifacts.result import ModelResult, Result, Table
from kdistill.artifacts.run_folder import RunFolder, append_line, read_lines
from kdistill.artifacts.weights import load_weights, read_weights
from kdistill.checks import check_parts, rehearse
from kdistill.data.transfer import lacking
from kdistill.engine import stop
from kdistill.engine.objective import Objective
from kdistill.engine.predict import validator
from kdistill.engine.resume import ResumePoint
from kdistill.errors import UserError
from kdistill.evaluate import (
    compression,
    gain,
    measure_models,
    test_logits,
    write_predictions,
)
from kdistill.events import (
    EpochEnded,
    Event,
    Listener,
    StageEnded,
    StageStarted,
    Warned,
    silent,
)
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.loss import Loss
from kdistill.parts import Parts, make_student, student_seed
from kdistill.report.write import write_report
from kdistill.signals.signals import Answers
from kdistill.signals.store import StoredAnswers, answers_folder, stored_bytes, too_large
from kdistill.students.repair import bias_name, build_in, find_shifts, table
from kdistill.teachers.chance import at_chance
from kdistill.teachers.teacher import Context, Tabulated


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
        work.train(student, parts.loss, answers, "student", work.trained(folder.student))
        networks = {"student": student}
        if parts.baseline:
            work.train(twin, HardLabels(), None, "baseline", work.trained(folder.baseline))
            networks["baseline"] = twin
        return ranks.decided(lambda: work.conclude(networks, signals))


class Work:
    """The stages of a run in its folder, each done once however often the run is interrupted."""

    def __init__(self, parts: Parts, folder: RunFolder, listener: Listener) -> None:
        self.parts, self.folder = parts, folder
        self.listener = listener if ranks.first() else silent
        self.cache = parts.cache or folder.work / "cache"

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

    def trained(self, file: Path) -> Path:
        """Where weights lie once they are trained: in `file`, or aside until they are repaired."""
        return self.folder.work / file.name if self.parts.repair else file

    def prepare_teacher(self) -> None:
        """Train or load the teacher, if there is one, and say in the run folder which it was."""
        parts = self.parts
        if parts.teacher is not None:
            data, process, measure = parts.dataset, parts.process, parts.measure
            parts.teacher.prepare(
                Context(data, process, measure, self.cache, self.tell, self.resume_point)
            )
            if ranks.first():
                write_json(self.folder.teacher, parts.teacher.reference())
                if warning := at_chance(parts.teacher.network, data.validation, process):
                    self.tell(Warned(warning))

    def answers(self) -> tuple[Answers | None, dict[str, Any]]:
        """Who answers during training: nobody, the teacher live, or its stored answers."""
        parts, kept = self.parts, self.folder.signals
        teacher, needs = parts.teacher, parts.loss.teacher_needs
        if teacher is None or not needs:
            return None, {"mode": "none"}
        data = parts.dataset
        size = stored_bytes(needs, parts.transfer.count(data), len(data.classes), data.input_shape)
        if parts.transfer.fresh or too_large(needs, size):
            return teacher, {"mode": "live", "teacher": teacher.hash}
        examples = parts.transfer.examples(data)
        folder = answers_folder(self.cache, teacher.hash, examples, parts.process.precision)
        stored = StoredAnswers(teacher, folder, parts.process.device)
        stored.collect(examples, needs, self.tell, parts.dataset.name)
        signals = {"asked": stored.asked, "reused": stored.reused}
        if ranks.first():
            if kept.is_file():  # what was asked before an interruption was asked by this run
                signals = read_json(kept)
            write_json(kept, signals)
        return stored, {"mode": "stored", "teacher": teacher.hash, **signals}

    def train(
        self, student: nn.Module, loss: Loss, answers: Answers | None, stage: str, file: Path
    ) -> None:
        """Fit `student` in place and write its weights to `file`, or read those written there.

        Validation decides what the fit config lets it.
        """
        parts, process, seed = self.parts, self.parts.process, student_seed(self.parts)
        resume = self.resume_point(stage)
        if ranks.agree(file.is_file()) and self._finished(student, stage, file):
            return
        stream = parts.transfer.stream(parts.dataset, parts.fit.batch_size, seed, process.device)
        validate = validator(parts.dataset.validation, parts.measure.validate, process)
        with stop.deferred():
            parts.fit(
                Objective(student, loss),
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

    def conclude(self, networks: dict[str, nn.Module], signals: dict[str, Any]) -> Result:
        """Measure all models, put the figures side by side and write the report."""
        parts, folder, started = self.parts, self.folder, time.monotonic()
        self.tell(StageStarted("evaluate"))
        tables = self.repair(networks)
        if parts.teacher:
            networks["teacher"] = parts.teacher.network
        logits = test_logits(networks, parts.dataset, parts.process)
        models = measure_models(
            networks, parts.teacher, logits, parts.dataset, parts.measure, parts.process, folder
        )
        write_predictions(parts.dataset, logits, folder)
        if isinstance(parts.teacher, Tabulated):
            tables += parts.teacher.tables(parts.dataset, parts.process)
        self.tell(StageEnded("evaluate", time.monotonic() - started))
        seconds = seconds_of(read_lines(folder.stages))
        told = dict.fromkeys(line["message"] for line in read_lines(folder.warnings))
        result = result_of(parts, models, logits, signals, seconds, [*told], tables)
        result.write(folder.result)
        write_report(folder)
        folder.end()
        return result

    def repair(self, networks: dict[str, nn.Module]) -> list[Table]:
        """Where the transfer set lacks classes, what shifting their logits does; none elsewhere.

        The shift that the config asks for is built into student and baseline, which are written.
        """
        parts, data, process = self.parts, self.parts.dataset, self.parts.process
        omitted = lacking(parts.transfer, data)
        if not omitted:
            return []
        logits = test_logits(networks, data, process)
        shifts = {
            name: find_shifts(each, omitted, data, process) for name, each in networks.items()
        }
        if parts.repair:
            blank = data.test.inputs[0][None].to(process.device)
            files = {"student": self.folder.student, "baseline": self.folder.baseline}
            for name, network in networks.items():
                bias = bias_name(network, blank, len(data.classes))
                build_in(network, bias, omitted, shifts[name][parts.repair])
                write_tensors(files[name], network.state_dict())
        return [table(logits, shifts, omitted, data, parts.repair)]


def seconds_of(stages: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds by stage, a teacher's networks together, and of all; without interrupted work."""
    latest = {str(line["stage"]): float(line["seconds"]) for line in stages}
    seconds = dict.fromkeys(("teacher", "signals", "student", "baseline", "evaluate"), 0.0)
    for stage, took in latest.items():
        name = stage.split()[0]  # "teacher 2/5"
        seconds[name] = seconds.get(name, 0.0) + took
    return {**seconds, "total": sum(latest.values())}


def result_of(
    parts: Parts,
    models: dict[str, ModelResult | None],
    logits: Mapping[str, Tensor],
    signals: dict[str, Any],
    seconds: dict[str, float],
    warnings: list[str],
    tables: list[Table],
) -> Result:
    """The figures side by side."""
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
        warnings=warnings,
        tables=tables,
    )


def write_config(parts: Parts, folder: RunFolder) -> None:
    """config.yaml, environment.json and student.yaml, before anything is trained."""
    write_json(folder.environment, environment(parts.process.name))
    write_text(folder.config, yaml.safe_dump(dict(parts.config), sort_keys=False))
    if not isinstance(parts.student, nn.Module):
        shape, classes = list(parts.dataset.input_shape), list(parts.dataset.classes)
        about = {"model": dict(parts.student), "input_shape": shape, "classes": classes}
        write_text(folder.student_config, yaml.safe_dump(about, sort_keys=False))
