"""result.json: the schema of what a run proved, as frozen dataclasses that read and write it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kdistill.artifacts.files import read_json, write_json
from kdistill.errors import UserError

SCHEMA = 1


@dataclass(frozen=True)
class Measure:
    """One figure: its value over n cases with a 95 % interval."""

    value: float
    n: int
    interval: tuple[float, float] | None
    unit: str  # "count", "fraction", "nats" ...
    better: str  # "lower" | "higher"


@dataclass(frozen=True)
class Cost:
    """What a model costs to keep and to ask."""

    parameters: int
    bytes: int  # of the saved file
    multiply_adds: int | None  # one input, forward; None where torch cannot count it
    latency_ms: dict[str, float]  # median by batch size: {"1": .., "256": ..}
    latency_setting: str  # "2 threads, cpu"


@dataclass(frozen=True)
class ModelResult:
    """One model of the run: what it scores on the test set and what it costs."""

    measures: dict[str, Measure]
    cost: Cost | None = None
    members: list["ModelResult"] = field(default_factory=list)  # of an ensemble


@dataclass(frozen=True)
class Result:
    """Everything that the reports need; written last, so its presence means: finished."""

    experiment: str
    seed: int
    config_hash: str
    main: str  # name of the measure that decides
    seconds: dict[str, float]  # teacher, signals, student, baseline, evaluate, total
    dataset: dict[str, Any]  # name, source, counts by part, fingerprint, note, classes
    models: dict[str, ModelResult | None]  # teacher, student, baseline
    compression: dict[str, float | None]  # teacher / student: parameters, bytes ...
    gain: dict[str, float | None]  # closed_gap, p_value
    signals: dict[str, Any]  # mode: stored | live | none, asked, reused, teacher (its hash)
    environment: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    schema: int = SCHEMA

    def write(self, path: Path) -> None:
        """Write atomically to `path`."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "Result":
        """Read `path`; UserError when it is missing, damaged or of a newer kdistill."""
        stored = read_json(path)
        try:
            if stored["schema"] > SCHEMA:
                raise UserError(
                    f"{path}: written by a newer kdistill (schema {stored['schema']}, "
                    f"this one reads up to {SCHEMA}); upgrade kdistill"
                )
            models = {name: _model(value) for name, value in stored["models"].items()}
            return Result(**{**stored, "models": models})
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: not a kdistill result ({error})") from None


def _model(stored: dict[str, Any] | None) -> ModelResult | None:
    if stored is None:
        return None
    measures = {
        name: Measure(**{**value, "interval": value["interval"] and tuple(value["interval"])})
        for name, value in stored["measures"].items()
    }
    cost = Cost(**stored["cost"]) if stored["cost"] else None
    members = [member for value in stored["members"] if (member := _model(value))]
    return ModelResult(measures, cost, members)
