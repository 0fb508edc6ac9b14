"""SomeClasses: a data set of which only some classes are left, numbered anew."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset, Examples
from kdistill.data.labels import label_of, labels_of
from kdistill.data.plan import DatasetPlan, DataSource
from kdistill.data.spec import one_of
from kdistill.errors import UserError


class SomeClasses:
    """The examples of `classes` (labels or names, at least two) in every part of `source`.

    Class i of the result is the i-th of `classes`.
    """

    def __init__(self, source: DataSource, classes: Sequence[int | str]) -> None:
        if len(classes) < 2:
            raise ValueError(f"classes must be two or more, got {list(classes)}")
        self.source, self.classes = source, classes

    def plan(self) -> DatasetPlan:
        """Counts the examples where they are at hand; before a download, assumes even classes."""
        plan = self.source.plan()
        chosen = self._chosen(plan.classes)
        share = len(chosen) / len(plan.classes)
        counts = {
            part: round(share * getattr(plan, part))
            for part in ("train", "validation", "test", "bytes")
        }
        if plan.source != "download":
            made = self.load()
            counts |= {part: len(getattr(made, part)) for part in ("train", "validation", "test")}
        names = tuple(plan.classes[label] for label in chosen)
        return replace(plan, name="some_classes", classes=names, **counts)

    def load(self) -> Dataset:
        """The parts of `source` with the other classes left out."""
        whole = self.source.load()
        chosen = self._chosen(whole.classes)
        name = fingerprint(whole.fingerprint, chosen)
        names = tuple(whole.classes[label] for label in chosen)
        train, validation, test = (
            self._part(part, chosen) for part in (whole.train, whole.validation, whole.test)
        )
        return replace(
            whole,
            name="some_classes",
            fingerprint=name,
            targets=one_of(names),
            classes=names,
            train=replace(train, origin=name),
            validation=validation,
            test=test,
            note=f"{' and '.join(names)} of {whole.name}. {whole.note}".strip(),
        )

    def _chosen(self, known: tuple[str, ...]) -> list[int]:
        chosen = [label_of(named, known, "dataset.classes") for named in self.classes]
        if len(set(chosen)) < len(chosen):
            raise UserError(f"dataset.classes: {list(self.classes)} names a class twice")
        return chosen

    def _part(self, examples: Examples, chosen: list[int]) -> Examples:
        labels = labels_of(examples)
        if labels is None:
            raise UserError("dataset.classes: these data have no labels to choose by")
        kept = torch.isin(labels, torch.tensor(chosen)).nonzero().flatten()
        numbers = torch.full((max(chosen) + 1,), -1)
        numbers[chosen] = torch.arange(len(chosen))
        part = replace(examples.take(kept), targets=numbers[labels[kept]])
        return replace(part, group=None)  # groups may have lost a part
