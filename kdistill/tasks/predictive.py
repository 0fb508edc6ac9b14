"""Predictive: a task whose answers are distributions of targets; four formulas say everything.

>>> class Coins(Predictive):
...     kind, mains = "labels", ("error", "nll")
...     def alone(self): return None
...     def log_p(self, answer, targets): return -nn.functional.softplus(answer * (1 - 2 * targets))
...     def error(self, answer, targets): return ((answer > 0) != targets).double()
...     def kl(self, teacher, answer):
...         p = teacher.sigmoid()
...         return p * self.log_p(teacher, 1.0) + (1 - p) * self.log_p(teacher, 0.0) - (
...             p * self.log_p(answer, 1.0) + (1 - p) * self.log_p(answer, 0.0))
...     def mixed(self, answers): return answers.sigmoid().mean(0).logit()
>>> heads, seen = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 1.0])
>>> figures = Coins("nll").figures(heads, seen, teacher=heads)
>>> {name: round(figure.value, 3) for name, figure in figures.items()}
{'error': 0.5, 'nll': 1.22, 'kl_to_teacher': 0.0}
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from kdistill.artifacts.result import Gain, Measure, ModelResult
from kdistill.data.batch import Dataset, Examples
from kdistill.data.tree import Tree, rows, single
from kdistill.errors import UserError
from kdistill.measures.figures import mean
from kdistill.measures.significance import closed_gap, mcnemar, paired_t
from kdistill.tasks.task import Bench, Findings, Part, Task


class Predictive(Task):
    """`main` is one of `mains`. A case is one example; figures are means over cases."""

    mains: tuple[str, ...] = ("error", "nll")
    validated = ("error", "nll")
    right_or_wrong: ClassVar[bool] = False  # whether `error` is 0 or 1: McNemar's test judges it
    tested: ClassVar[tuple[str, ...]] = ("error",)  # figures that the paired test judges
    second: ClassVar[str] = "nll"
    terms: ClassVar[Mapping[str, str]] = {
        "Paired t-test p": "Student's t-test on the errors of the two students, case by case; it "
        "judges these two trained networks, not other seeds",
        "NLL": "mean negative log-probability of what is right",
        "KL to teacher": "divergence of the student's distributions from the teacher's",
    }

    def __init__(self, main: str = "error") -> None:
        if main not in self.mains:
            raise ValueError(f"main must be one of {', '.join(self.mains)}, got {main}")
        self.main = main

    @abstractmethod
    def log_p(self, answer: Tensor, targets: Tensor) -> Tensor:
        """Of the targets, in nats [n], by answers [n, ...]."""

    @abstractmethod
    def error(self, answer: Tensor, targets: Tensor) -> Tensor:
        """Of each answer [n]: 0 or 1, or a distance."""

    @abstractmethod
    def kl(self, teacher: Tensor, answer: Tensor) -> Tensor:
        """KL(teacher || model) of each case in nats [n], of both answers."""

    @abstractmethod
    def mixed(self, answers: Tensor) -> Tensor:
        """The answer [n, ...] that means the mean of the distributions of [members, n, ...]."""

    def bind(self, dataset: Dataset, taught: bool) -> None:
        """Refuses data without a test set whose targets are known."""
        if not len(dataset.test) or dataset.test.targets is None:
            raise UserError("dataset: without a labelled test set nothing can be measured")
        self._two: Tree = rows(dataset.test.targets, torch.zeros(2, dtype=torch.int64))

    def check_model(self, model: nn.Module, answer: object) -> None:
        """Refuses answers that give no log-probability for each of two targets."""
        if not isinstance(answer, Tensor):
            raise UserError(f"must answer with one tensor, got a {type(answer).__name__}")
        try:
            shape = self.log_p(answer, single(self._two)).shape
        except (RuntimeError, IndexError):
            shape = None
        if shape != (2,):
            raise UserError(f"must answer with {self.kind}, got {[*answer.shape]} for two inputs")

    def together(self, members: Sequence[nn.Module], how: str) -> nn.Module:
        """arithmetic: the mean distribution."""
        if how != "arithmetic":
            raise UserError(f"teacher.combine={how}: use teacher.combine=arithmetic")
        return Together(members, self.mixed)

    def validate(self, answer: Tensor, examples: Examples) -> dict[str, float]:
        """The mean error, and the nll in nats."""
        targets = targets_of(examples)
        error, log_p = self.error(answer, targets), self.log_p(answer, targets)
        return {"error": float(error.double().mean()), "nll": -float(log_p.double().mean())}

    def figures(
        self,
        answer: Tensor,
        targets: Tensor | None = None,
        teacher: Tensor | None = None,
        group: Tensor | None = None,
    ) -> dict[str, Measure]:
        """Figures by name, n >= 1: of answers against targets, and against the teacher's answers.

        `group` (Examples.group) is for figures of more than one case at a time.
        """
        figures: dict[str, Measure] = {}
        if targets is not None:
            figures["error"] = mean(self.error(answer, targets).double(), "", "Error")
            figures["nll"] = mean(-self.log_p(answer, targets).double(), "nats", "NLL")
        if teacher is not None:
            kl = self.kl(teacher, answer).double()
            figures["kl_to_teacher"] = mean(kl, "nats", "KL to teacher")
        return figures

    def scores(self, bench: Bench, part: Part) -> dict[str, dict[str, Measure]]:
        """The figures on that part by model; none where it is empty or its targets are unknown."""
        examples: Examples = getattr(bench.dataset, part)
        if not len(examples) or examples.targets is None:
            return {}
        targets, scores = targets_of(examples), dict[str, dict[str, Measure]]()
        # of a model without weights the answers about the test set alone are known
        known = [name for name, model in bench.models.items() if model or part == "test"]
        answers = {name: bench.answers(name, part) for name in known}
        for name, answer in answers.items():
            beside = None if name == "teacher" else answers.get("teacher")
            scores[name] = self.figures(answer, targets, beside, examples.group)
        return scores

    def judge(self, bench: Bench) -> Findings:
        """All models by their figures, the ensemble's members too, and the errors case by case."""
        test, models = bench.dataset.test, dict[str, ModelResult | None]()
        validation, scores = self.scores(bench, "validation"), self.scores(bench, "test")
        members = [
            ModelResult(self.figures(answer, targets_of(test), group=test.group), cost)
            for answer, cost in zip(bench.members("test"), bench.member_costs(), strict=True)
        ]
        for name in ("teacher", "student", "baseline"):
            if name in scores:
                alone = members if name == "teacher" else []
                held = validation.get(name, {})
                models[name] = ModelResult(scores[name], bench.cost(name), alone, held)
            else:
                models[name] = None
        bench.keep("cases", self.cases(bench))
        gain = self.gain(bench, models)
        return self.shown(bench, Findings(models, gain, [], {**self.terms}, self.second))

    def cases(self, bench: Bench) -> dict[str, Tensor]:
        """What `kdistill diff` compares: index [n] of the test cases, and MODEL.error [n].

        Where one number says it also target [n], MODEL.answer [n], and MODEL.confidence [n], the
        probability that the model gives to its answer.
        """
        test, targets = bench.dataset.test, targets_of(bench.dataset.test)
        error = {
            f"{model}.error": self.error(bench.answers(model, "test"), targets).float()
            for model in bench.models
        }
        return {"index": test.index, **error}

    def shown(self, bench: Bench, found: Findings) -> Findings:
        """`found` with what a report draws besides; keeps what that comes from."""
        return found

    def gain(self, bench: Bench, models: Mapping[str, ModelResult | None]) -> Gain:
        """The share of the gap between baseline and teacher that was closed, and a paired test of
        the errors of student and baseline."""
        test = "McNemar" if self.right_or_wrong else "paired t-test"
        if "baseline" not in bench.models:
            return Gain(test=test, measures=[*self.tested])
        targets = targets_of(bench.dataset.test)
        error = {
            name: self.error(bench.answers(name, "test"), targets)
            for name in ("student", "baseline")
        }
        if self.right_or_wrong:
            p_value: float | None = mcnemar(error["student"] == 0, error["baseline"] == 0)
        else:
            p_value = paired_t(error["student"].tolist(), error["baseline"].tolist())
        of = {name: model.measures[self.main] for name, model in models.items() if model}
        teacher = of.get("teacher")
        closed = closed_gap(of["baseline"], of["student"], teacher) if teacher else None
        return Gain(closed, p_value, test, [*self.tested])

    def again(self, bench: Bench) -> dict[str, dict[str, Measure]]:
        """The figures of the test set."""
        return self.scores(bench, "test")


class Together(nn.Module):
    """The members' answers [batch, ...] as those of one model, by `mixed` of [members, ...]."""

    def __init__(self, members: Sequence[nn.Module], mixed: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.mixed = mixed

    def forward(self, inputs: Tree) -> Tensor:
        answers = torch.stack([member(inputs) for member in self.members])
        wide = torch.promote_types(answers.dtype, torch.float32)  # out of autocast
        return self.mixed(answers.to(wide))


def targets_of(examples: Examples) -> Tensor:
    """What is right [n, ...] on the CPU, of examples whose targets are known."""
    assert examples.targets is not None  # bind refused a test set without, nothing else is judged
    return single(examples.targets).cpu()
