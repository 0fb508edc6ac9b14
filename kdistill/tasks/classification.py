"""Classification: errors, likelihood and calibration, and how closely a teacher is followed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from kdistill.artifacts.figures import Shown
from kdistill.artifacts.result import Measure
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.streams import in_order
from kdistill.data.tree import single
from kdistill.errors import UserError
from kdistill.losses.hard_labels import HardLabels
from kdistill.measures.calibration import BINS, MOST_BINS
from kdistill.measures.figures import (
    against_labels,
    against_teacher,
    divergences,
    log_probabilities,
    of_labels,
)
from kdistill.measures.intervals import wilson
from kdistill.tasks.predictive import Predictive, Together, targets_of
from kdistill.tasks.shown.cases import disagreements, shown
from kdistill.tasks.shown.confusion import confusion_matrices
from kdistill.tasks.shown.reliability import reliability_curves
from kdistill.tasks.shown.softness import softness_curves, temperatures_of
from kdistill.tasks.task import Bench, Findings

MAIN = ("errors", "accuracy", "nll", "brier", "ece")
SHOWN = 8  # inputs in the gallery


class Classification(Predictive):
    """One class each: figures of n cases with 95 % intervals, computed in float64.

    main: the figure that decides, one of errors, accuracy, nll, brier, ece.
    bins: of the calibration error, from 1 to 10,000.
    """

    kind = "classes"
    mains: tuple[str, ...] = MAIN
    validated = ("errors", "nll")
    right_or_wrong = True
    tested = ("errors", "accuracy")
    terms = {
        "McNemar p": "exact test on the cases where only one of the two students is right; it "
        "judges these two trained networks, not other seeds",
        "NLL, Brier": "proper scores of the predicted probabilities",
        "ECE": "mean distance between confidence and accuracy",
        "Agreement, KL to teacher": "share of cases with the teacher's top class; divergence of "
        "the student's probabilities from the teacher's",
    }

    def __init__(self, main: str = "errors", bins: int = BINS) -> None:
        super().__init__(main)
        if not 1 <= bins <= MOST_BINS:
            raise ValueError(f"bins must be from 1 to {MOST_BINS}, got {bins}")
        self.bins = bins

    def bind(self, dataset: Dataset, taught: bool) -> None:
        """Takes the number of classes; refuses data without classes or without test labels."""
        if not dataset.classes:
            raise UserError("task: these data have no classes; use task=density, or other data")
        super().bind(dataset, taught)
        self.classes = len(dataset.classes)

    def offers(self) -> dict[str, int]:
        """How many classes there are."""
        return {"classes": self.classes}

    def check_model(self, model: nn.Module, answer: object) -> None:
        """Refuses anything but logits [2, classes]."""
        wanted = f"logits [batch, {self.classes}]"
        if not isinstance(answer, Tensor):
            raise UserError(f"must answer with {wanted}, got a {type(answer).__name__}")
        if answer.shape != (2, self.classes):
            raise UserError(f"must answer with {wanted}, got {[*answer.shape]} for two inputs")

    def alone(self) -> HardLabels:
        """The labels."""
        return HardLabels()

    def log_p(self, answer: Tensor, targets: Tensor) -> Tensor:
        """Of the label, by a softmax, float64."""
        return of_labels(log_probabilities(answer), targets)

    def error(self, answer: Tensor, targets: Tensor) -> Tensor:
        """1 where the top class is another, float64."""
        return (log_probabilities(answer).argmax(-1) != targets).double()

    def kl(self, teacher: Tensor, answer: Tensor) -> Tensor:
        """Of the two softmaxes at T = 1."""
        return divergences(log_probabilities(answer), log_probabilities(teacher))

    def mixed(self, answers: Tensor) -> Tensor:
        """The log of the mean probability."""
        return combined(answers, "arithmetic")

    def together(self, members: Sequence[nn.Module], how: str) -> nn.Module:
        """arithmetic: the mean probability; geometric: the mean of the logits."""
        return Combined(members, how)

    def watch(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The share that is right."""
        assert batch.targets is not None  # nothing is watched without
        right = answer.argmax(-1) == single(batch.targets)
        return {"accuracy": _share(right, batch.mask)}

    def validate(self, answer: Tensor, examples: Examples) -> dict[str, float]:
        """errors (a count) and nll (nats); and the accuracy, which stands beside that of the
        training steps."""
        log_p, labels = log_probabilities(answer), targets_of(examples)
        wrong = float((log_p.argmax(1) != labels).sum())
        nll = -of_labels(log_p, labels).mean()
        return {"errors": wrong, "nll": float(nll), "accuracy": 1 - wrong / len(labels)}

    def doubts(self, answer: Tensor, examples: Examples) -> str | None:
        """A warning where the answers are not clearly better than always naming one class.

        That is where the 95 % interval of the accuracy reaches down to the share of the most
        frequent class.
        """
        labels = targets_of(examples)
        n, right = len(labels), int((answer.argmax(dim=1) == labels).sum())
        chance = int(labels.bincount().max()) / n
        if wilson(right, n)[0] > chance:
            return None
        return (
            f"the teacher is right on {right} of {n} validation examples ({right / n:.1%}), no "
            f"better than chance ({chance:.1%} by naming one class); train it longer, with another "
            "teacher.fit.optimizer.lr, or give other teacher.weights"
        )

    def figures(
        self,
        answer: Tensor,
        targets: Tensor | None = None,
        teacher: Tensor | None = None,
        group: Tensor | None = None,
    ) -> dict[str, Measure]:
        """With targets [n]: errors, accuracy, nll, brier, ece. With the teacher's logits
        [n, classes]: agreement, and kl_to_teacher at T = 1."""
        log_p, figures = log_probabilities(answer), dict[str, Measure]()
        if targets is not None:
            figures |= against_labels(log_p, targets.cpu(), self.bins)
        if teacher is not None:
            figures |= against_teacher(log_p, log_probabilities(teacher))
        return figures

    def recalled(self, kept: Callable[[str], Mapping[str, Tensor]]) -> Tensor | None:
        """The logarithm of the teacher's predictions."""
        probabilities = kept("predictions").get("teacher")
        return None if probabilities is None else probabilities.log()

    def cases(self, bench: Bench) -> dict[str, Tensor]:
        """As of Predictive, with the top classes and their probabilities."""
        found = {**super().cases(bench), "target": targets_of(bench.dataset.test)}
        for model in bench.models:
            top = bench.answers(model, "test").softmax(dim=1).max(1)
            found[f"{model}.answer"], found[f"{model}.confidence"] = top.indices, top.values
        return found

    def shown(self, bench: Bench, found: Findings) -> Findings:
        """With reliability, softness of the teacher, confusion, and the inputs on which student
        and teacher disagree most; keeps the test probabilities of every model."""
        data, labels = bench.dataset, targets_of(bench.dataset.test)
        logits = {name: bench.answers(name, "test") for name in bench.models}
        probabilities = {name: each.softmax(dim=1) for name, each in logits.items()}
        about = {"index": data.test.index, "labels": labels}
        bench.keep("predictions", {**about, **probabilities})
        found = replace(
            found,
            curves=[reliability_curves(probabilities, labels, self.bins)],
            matrices=confusion_matrices(probabilities, labels, data.classes),
        )
        if "teacher" in logits:
            temperatures = temperatures_of(bench.config.get("loss"))
            found.curves.append(softness_curves(probabilities["teacher"], temperatures))
            divergence = self.kl(logits["teacher"], logits["student"])
            rows = divergence.sort(descending=True, stable=True).indices[:SHOWN]
            inputs = kept_gallery(bench, rows)
            found.cases.append(disagreements(probabilities, about, data.classes, rows, inputs))
        return found


def kept_gallery(bench: Bench, rows: Tensor) -> list[Shown]:
    """The test inputs `rows`, which are kept: a report never opens the data."""
    chosen = replace(bench.dataset.test.take(rows), workers=0)  # so few are read here
    (batch,) = in_order(chosen, SHOWN, torch.device("cpu"))
    if not isinstance(batch.inputs, Tensor):  # several arrays are no picture
        return [Shown()] * len(rows)
    bench.keep("gallery", {"inputs": batch.inputs, "row": rows})
    return shown(batch.inputs, "gallery", "inputs")


def _share(right: Tensor, mask: Tensor | None) -> Tensor:
    """Of [..., batch, *positions] those that are right, among all or among those under `mask`."""
    if mask is None:
        return right.float().mean()
    return (right & mask).float().mean() / mask.float().mean().clamp_min(1 / mask.numel())


class Combined(Together):
    """The members' logits as those of one model.

    geometric: the mean of the members' logits; arithmetic: the log of their mean probability.
    """

    def __init__(self, members: Sequence[nn.Module], combine: str) -> None:
        super().__init__(members, partial(combined, how=combine))


def combined(logits: Tensor, how: str) -> Tensor:
    """Logits [members, batch, classes] as those of one model [batch, classes], float32 or more."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # out of autocast
    if how == "geometric":
        return logits.mean(dim=0)
    return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))
