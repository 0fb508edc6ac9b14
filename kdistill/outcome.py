"""The figures of a run put side by side, as its result."""

from typing import Any

from kdistill.artifacts.environment import environment
from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.result import Result
from kdistill.events import StageEnded
from kdistill.measures.cost import compression
from kdistill.parts import Parts
from kdistill.tasks.task import Findings


def seconds_of(stages: list[StageEnded]) -> dict[str, float]:
    """Seconds by stage, a teacher's networks together, and of all; without interrupted work."""
    latest = {each.stage: each.seconds for each in stages}
    seconds = dict.fromkeys(("teacher", "signals", "student", "baseline", "evaluate"), 0.0)
    for stage, took in latest.items():
        name = stage.partition(" ")[0]  # "teacher 2/5"
        seconds[name] = seconds.get(name, 0.0) + took
    return {**seconds, "total": sum(latest.values())}


def result_of(
    parts: Parts,
    found: Findings,
    signals: dict[str, Any],
    seconds: dict[str, float],
    warnings: list[str],
) -> Result:
    """The figures side by side."""
    data, models = parts.dataset, found.models
    return Result(
        experiment=parts.name,
        seed=parts.seed,
        config_hash=fingerprint(dict(parts.config)),
        main=parts.task.main,
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
        gain=found.gain,
        signals=signals,
        environment=environment(parts.process.name),
        second=found.second,
        warnings=warnings,
        tables=found.tables,
        curves=found.curves,
        matrices=found.matrices,
        cases=found.cases,
        terms=found.terms,
    )
