"""BornAgain: networks of one architecture, each taught by the one before.

Furlanello et al. 2018 (born-again networks); Allen-Zhu & Li 2020 (self-distillation). Generation 0
learns from the labels; generation g + 1 starts anew and learns by the loss `again` from what
generation g says. The answer is that of the last generation, or of all together (BAN-E).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.result import Table
from kdistill.config.build import build
from kdistill.config.sources import source_hashes
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.losses.loss import Loss, compares_logits
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Answers, Signals
from kdistill.tasks.classification import Combined
from kdistill.teachers.ensemble import COMBINATIONS
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context, Training, ask_frozen, freeze, stored_answers
from kdistill.teachers.together import combinations_table


class Generation(NetworkTeacher):
    """A network taught by the one `before`, which must be prepared first."""

    def __init__(
        self,
        before: NetworkTeacher,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        fit: Mapping[str, Any],
        augmentation: Sequence[Mapping[str, Any]],
        seed: int,
        stage: str,
    ) -> None:
        super().__init__(model, loss, fit, augmentation, seed, stage=stage)
        self.before = before

    def _name(self, data: str, precision: str) -> str:
        return fingerprint(super()._name(data, precision), self.before.name(data, precision))

    def taught_by(self, examples: Examples, loss: Loss, context: Context) -> Answers | None:
        """The generation before: its stored answers, or itself where inputs are augmented."""
        if self.augmentation:
            return self.before
        quiet = context.warnings_only()  # asking is part of this training
        return stored_answers(self.before, examples, loss.teacher_needs, quiet)


class BornAgain:
    """`rounds` >= 1 generations after the first; generation g has the seed 1000 * seed + g.

    answer: last | arithmetic | geometric, the last two of all generations. `loss` and `again` are
    configs of losses: of generation 0, on the labels, and of each later one.
    """

    def __init__(
        self,
        rounds: int,
        answer: str,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        again: Mapping[str, Any],
        fit: Mapping[str, Any],
        augmentation: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        if rounds < 1:
            raise ValueError(f"rounds must be >= 1, got {rounds}")
        if answer not in ("last", *COMBINATIONS):
            raise ValueError(f"answer must be last, arithmetic or geometric, got {answer}")
        self.answered_by, self.again = answer, again
        stages = [f"teacher {number + 1}/{rounds + 1}" for number in range(rounds + 1)]
        first = NetworkTeacher(model, loss, fit, augmentation, 1000 * seed, stage=stages[0])
        self.generations = [first]
        for number, stage in enumerate(stages[1:], start=1):
            before, own = self.generations[-1], 1000 * seed + number
            self.generations.append(Generation(before, model, again, fit, augmentation, own, stage))
        self.hash: str | None = None

    def prepare(self, context: Context) -> None:
        """Load or train one generation after the other."""
        again: Loss = build(self.again, roles=(Loss,), key="teacher.again")
        if not compares_logits(again):
            raise UserError(
                "teacher.again: a generation learns from the logits of the one before, and this "
                "loss does not; use loss@teacher.again=soft_targets"
            )
        self.process: Process = context.process
        for generation in self.generations:
            generation.prepare(context)
        self.members: Sequence[nn.Module] = [each.network for each in self.generations]
        self.network = self._answering().to(context.process.device)
        self.hash = self.name(context.dataset.fingerprint, context.process.precision)

    def _answering(self) -> nn.Module:
        if self.answered_by == "last":
            return self.members[-1]
        return freeze(Combined(self.members, self.answered_by))

    def name(self, data: str, precision: str) -> str:
        """The hash of the generations' hashes and of who answers."""
        names = [each.name(data, precision) for each in self.generations]
        return fingerprint(self.answered_by, source_hashes(modules=[type(self).__module__]), names)

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """Those of every generation."""
        self.hash = self.name(data, precision) if data else None
        return [each for g in self.generations for each in g.trainings(data, precision, cache)]

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        return ask_frozen(self.network, batch, self.process, needs)

    def tables(self, dataset: Dataset, process: Process) -> list[Table]:
        """How the generations do alone (on average) and together."""
        return [combinations_table(self.members, dataset, process)]

    def reference(self) -> dict[str, object]:
        members = [generation.reference() for generation in self.generations]
        about = {"hash": self.hash, "answer": self.answered_by}
        return {"kind": "born_again", **about, "members": members}
