"""What a report draws, as data: curves, matrices and cases; whoever draws them knows no task.

>>> alone = Line("Student alone", "baseline", x=[1, 2, 4], y=[0.3, 0.2, 0.25])
>>> Curves("Errors over temperature", "T", "share", [alone], note="One seed.").lines[0].model
'baseline'
>>> Line("Student alone", "baseline", x=[1, 2, 4], y=[0.3])
Traceback (most recent call last):
ValueError: line 'Student alone': has 3 x and 1 y
"""

from dataclasses import dataclass, field

MODELS = ("teacher", "baseline", "student")
POINTS = 10_000  # of a line, at most


@dataclass(frozen=True)
class Line:
    """A line of a chart, of equally many x and y; ValueError for others."""

    label: str
    model: str  # one of MODELS; "" is a line to compare with
    x: list[float]
    y: list[float]
    low: list[float] | None = None  # of a band around it
    high: list[float] | None = None
    band: str = ""  # what the band holds
    cases: list[int] | None = None  # that each point is a mean over: it is drawn larger for more

    def __post_init__(self) -> None:
        what = f"line {self.label!r}"
        _check_model(what, self.model)
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{what}: has one end of a band")
        for name in ("x", "y", "low", "high", "cases"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"{what}: has {len(self.x)} x and {len(values)} {name}")
        if len(self.x) > POINTS:
            raise ValueError(f"{what}: has more than {POINTS} points")


@dataclass(frozen=True)
class Mark:
    """A point of a chart with a text, and a line down from it."""

    label: str
    model: str
    x: float
    y: float

    def __post_init__(self) -> None:
        _check_model(f"mark {self.label!r}", self.model)


@dataclass(frozen=True)
class Curves:
    """A chart of lines."""

    title: str
    x: str  # what the axes are
    y: str
    lines: list[Line]
    note: str  # the chart in words: what it shows, with its numbers
    log: bool = False  # whether the x axis is logarithmic
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Matrix:
    """How often each class, down, was taken for each, across; ValueError unless it is square.

    Of many classes there may be a few alone, those that are taken for others most often.
    """

    model: str
    names: list[str]
    counts: list[list[int]]
    classes: int  # how many there are
    note: str

    def __post_init__(self) -> None:
        _check_model("matrix", self.model)
        sizes = {len(self.names), len(self.counts), *map(len, self.counts)}
        if len(sizes) > 1 or len(self.names) > self.classes:
            raise ValueError(f"matrix of the {self.model}: must have a row for each name")


@dataclass(frozen=True)
class Picture:
    """Rows of a tensor in a .safetensors of the run folder: a picture, or a sheet of several."""

    file: str  # "gallery" is gallery.safetensors
    tensor: str
    rows: list[int]


@dataclass(frozen=True)
class Shown:
    """An input as a report shows it, in one of three ways; nothing where there is no way."""

    picture: Picture | None = None
    text: str | None = None
    numbers: list[float] | None = None


@dataclass(frozen=True)
class Bar:
    """An answer, and how much of it each model gives: from 0 to 1."""

    label: str
    shares: dict[str, float]


@dataclass(frozen=True)
class Case:
    """An input, and what the models answer."""

    heading: str
    input: Shown
    bars: list[Bar] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Cases:
    """A section of inputs side by side."""

    title: str
    cases: list[Case]
    note: str = ""  # how they were chosen


def _check_model(what: str, model: str) -> None:
    if model and model not in MODELS:
        raise ValueError(f"{what}: must be of one of {', '.join(MODELS)}, not of {model!r}")
