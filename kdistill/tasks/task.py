"""Task: what the models of a run are for. One is a file, with one YAML in configs/task.

A task says what a model answers, what a model learns from where no teacher is, how several models
become one, and what the answers are worth. Losses know no task: they name the kinds of answer that
their formula is about.

>>> Findings({"student": None}, Gain(test="McNemar")).gain.test
'McNemar'
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from kdistill.artifacts.figures import Cases, Curves, Matrix
from kdistill.artifacts.result import Cost, Gain, Measure, ModelResult, Table
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.plan import Sweeps
from kdistill.engine.process import Process
from kdistill.losses.loss import Loss

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Bench:
    """The models of a run on one table, and what each answers; the teacher's answers about the
    parts of the data are kept between runs.

    `answers(model, part)` are [n, ...] on the CPU, `part` being validation or test; `members` are
    the same of the networks that a teacher combines. A model is None where its answers alone are
    known.
    """

    dataset: Dataset
    process: Process
    seed: int
    models: Mapping[str, nn.Module | None]  # of teacher, student and baseline those that there are
    answers: Callable[[str, Part], Tensor]
    members: Callable[[Part], Sequence[Tensor]]
    cost: Callable[[str], Cost | None]
    member_costs: Callable[[], Sequence[Cost]]
    seconds: Mapping[str, float]  # by stage of the run
    keep: Callable[[str, Mapping[str, Tensor]], None]  # a named .safetensors in the run folder
    config: Mapping[str, Any] = field(default_factory=dict)  # of the run


@dataclass(frozen=True)
class Findings:
    """What a run has shown of its models, as data: whoever draws it knows no task."""

    models: dict[str, ModelResult | None]  # teacher, student, baseline; None: there is none
    gain: Gain
    tables: list[Table] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)  # what a figure is, by its title
    second: str = ""  # the measure that a sweep draws beside the main one
    curves: list[Curves] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)
    cases: list[Cases] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Task(ABC):
    """What the models of a run are for; it holds nothing but its settings and what `bind` took."""

    kind: str  # of answer, as losses name it: classes | density | numbers ...
    main: str  # the figure that decides
    validated: tuple[str, ...]  # of what `validate` returns; fit.keep=best looks at the first
    needs_targets: bool = True  # whether `validate` judges nothing without them

    @abstractmethod
    def bind(self, dataset: Dataset, taught: bool) -> None:
        """Take what is needed of the data, before all else; UserError for data of another task.

        taught: whether there is a teacher to compare with.
        """

    @abstractmethod
    def check_model(self, model: nn.Module, answer: object) -> None:
        """UserError unless `answer`, that of `model` to two blank inputs, is of this kind."""

    @abstractmethod
    def alone(self) -> Loss | None:
        """What a model learns by without a teacher; None: it cannot."""

    @abstractmethod
    def together(self, members: Sequence[nn.Module], how: str) -> nn.Module:
        """The members as one model; UserError, for no members too, where `how` means nothing."""

    @abstractmethod
    def validate(self, answer: Tensor, examples: Examples) -> dict[str, float]:
        """What training looks at after each epoch; of `validated`, lower is better."""

    @abstractmethod
    def judge(self, bench: Bench) -> Findings:
        """The one reading of the test set."""

    def offers(self) -> Mapping[str, Any]:
        """What constructors of models are offered by name: {"classes": 10}."""
        return {}

    def check_student(self, model: nn.Module, answer: object) -> None:
        """As check_model, of a model that learns."""
        self.check_model(model, answer)

    def watch(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Figures [] of a step's answers that stand beside the loss' terms: {"accuracy": ...}."""
        return {}

    def doubts(self, answer: Tensor, examples: Examples) -> str | None:
        """Why a teacher of such answers is not worth learning from; None: it may be."""
        return None

    def steps(self) -> list[Sweeps]:
        """The sweeps of a teacher's chains that judging takes, for `kdistill check`."""
        return []

    def again(self, bench: Bench) -> dict[str, dict[str, Measure]]:
        """The test set's figures by model once more, for `kdistill evaluate`."""
        models = self.judge(bench).models
        return {name: model.measures for name, model in models.items() if model}

    def recalled(self, kept: Callable[[str], Mapping[str, Tensor]]) -> Tensor | None:
        """The teacher's answers about the test set, from the files that `judge` kept by name."""
        return None
