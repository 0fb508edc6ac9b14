"""result.json: the schema of what a run proved, as frozen dataclasses that read and write it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kdistill.artifacts.figures import Cases, Curves, Matrix
from kdistill.artifacts.files import write_json
from kdistill.artifacts.text import read_json
from kdistill.artifacts.typed import typed
from kdistill.errors import UserError

SCHEMA = 2
Entry = str | int | float | None


@dataclass(frozen=True)
class Measure:
    """One figure: its value over n cases with a 95 % interval.

    >>> Measure(74, 10_000, (58.9, 92.8), "count", "lower", "Errors").title
    'Errors'
    """

    value: float
    n: int
    interval: tuple[float, float] | None
    unit: str  # "count", "fraction", "nats" ...
    better: str  # "lower" | "higher"
    title: str = ""  # as people write it; "": made of the name


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
    members: "list[ModelResult]" = field(default_factory=list)  # of an ensemble
    validation: dict[str, Measure] = field(default_factory=dict)  # what selects between runs


@dataclass(frozen=True)
class Gain:
    """What the student has won over the same student trained alone.

    >>> Gain(0.84, 2e-6, "McNemar", ["errors", "accuracy"]).test
    'McNemar'
    """

    closed_gap: float | None = None  # of the main measure: 1 is as good as the teacher
    p_value: float | None = None  # of the paired test; None: there was nothing to test
    test: str = ""  # its name
    measures: list[str] = field(default_factory=list)  # names of those that it judges


@dataclass(frozen=True)
class Table:
    """Figures that fit no other place of a report; ValueError unless every row fits the columns."""

    title: str
    columns: list[str]
    rows: list[list[Entry]]  # an entry for each column; None: there is none
    note: str = ""  # what is said below the table

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError(f"table {self.title!r}: has no column")
        for place, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r}: row {place} has {len(row)} entries for "
                    f"{len(self.columns)} columns"
                )


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
    gain: Gain
    signals: dict[str, Any]  # mode: stored | live | none, asked, reused, teacher (its hash)
    environment: dict[str, Any]
    second: str = ""  # name of the measure that a sweep draws beside the main one
    warnings: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)  # what a method shows besides
    curves: list[Curves] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)
    cases: list[Cases] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)  # what a figure is, by its title
    schema: int = SCHEMA

    def write(self, path: Path) -> None:
        """Write atomically to `path`."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "Result":
        """Read `path`; UserError when it is missing, damaged or of another schema."""
        stored = read_json(path)
        try:
            schema = typed(int, stored["schema"], "schema")
            result: Result | None = typed(Result, stored, "") if schema == SCHEMA else None
        except (KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: not a kdistill result ({reason})") from None
        if result is None:
            age = "a newer" if schema > SCHEMA else "an earlier"
            remedy = "upgrade kdistill" if schema > SCHEMA else "train again in another folder"
            raise UserError(
                f"{path}: written by {age} kdistill (schema {schema}, this one reads {SCHEMA}); "
                f"{remedy}"
            )
        return result
