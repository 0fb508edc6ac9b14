"""The figures of a run put side by side, as its result."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kdistill.artifacts.environment import environment
from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.result import ModelResult, Result, Table
from kdistill.evaluate import compression, gain
from kdistill.parts import Parts


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
