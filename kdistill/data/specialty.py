"""Specialty: some classes of a data set, and the data set as their specialist sees it.

Hinton, Vinyals & Dean 2015, section 5.2.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kdistill.data.batch import Dataset, Examples
from kdistill.data.halves import halves
from kdistill.data.labels import labels_of
from kdistill.data.spec import one_of
from kdistill.errors import UserError


@dataclass(frozen=True)
class Specialty:
    """`classes` are labels of the data set; dustbin: all others become one class, the last."""

    classes: tuple[int, ...]
    dustbin: bool = True

    def seen(self, dataset: Dataset) -> Dataset:
        """With the labels 0.. of `classes` and then the dustbin's, or with all as they are.

        Of the validation part half are of `classes`, as in training, so that early stopping looks
        at the same odds. UserError where training examples of one half are missing.
        """
        labels = labels_of(dataset.train)
        if labels is None:
            raise UserError(
                "teacher: specialists learn from labels, and the training set has none; give labels"
            )
        own = self.of(labels)
        if own.all() or not own.any():
            which = "none but" if own.any() else "no"
            raise UserError(
                f"teacher.clusters: there are {which} training examples of the classes "
                f"{', '.join(dataset.classes[each] for each in self.classes)}; use fewer clusters"
            )
        names = [dataset.classes[each] for each in self.classes]
        classes = (*names, "(dustbin)") if self.dustbin else dataset.classes
        return replace(
            dataset,
            targets=one_of(classes),
            classes=classes,
            train=self._relabelled(dataset.train),
            validation=self._relabelled(self._half(dataset.validation)),
        )

    def of(self, labels: Tensor) -> Tensor:
        """Which of the data set's own `labels` [n] are among the classes, [n] bool."""
        return torch.isin(labels, torch.tensor(self.classes, device=labels.device))

    def share(self, dataset: Dataset) -> float:
        """Of the training examples, in (0, 1)."""
        labels = labels_of(dataset.train)
        assert labels is not None
        return float(self.of(labels).double().mean())

    def own(self, seen: Examples) -> Tensor:
        """Which examples of what `seen` gave are of the classes, [n] bool."""
        labels = labels_of(seen)
        assert labels is not None
        return labels < len(self.classes) if self.dustbin else self.of(labels)

    def _half(self, examples: Examples) -> Examples:
        labels = labels_of(examples)
        if labels is None:
            return examples
        rows = halves(self.of(labels).cpu(), seed=0).flatten().sort().values
        return examples.take(rows) if len(rows) else examples

    def _relabelled(self, examples: Examples) -> Examples:
        labels = labels_of(examples)
        if labels is None or not self.dustbin:
            return examples
        targets = torch.full_like(labels, len(self.classes))
        for place, each in enumerate(self.classes):
            targets[labels == each] = place
        return replace(examples, targets=targets)
