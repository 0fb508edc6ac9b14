"""What specialists add, on the test set, as tables (Hinton, Vinyals & Dean 2015, section 5.5)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kdistill.artifacts.result import Table
from kdistill.data.batch import Dataset
from kdistill.data.labels import labels_of
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.measures.significance import mcnemar
from kdistill.teachers.specialised import Specialised, Voice


def specialist_tables(network: Specialised, dataset: Dataset, process: Process) -> list[Table]:
    """The clusters; the change by number of specialists; with and without the correction."""
    labels, voices = labels_of(dataset.test), network.specialists
    assert labels is not None
    labels = labels.cpu()
    answers = {
        "generalist alone": network.generalist,
        "with specialists": network,
        "without the correction": network.uncorrected(),
    }
    said = {name: predict(each, dataset.test, process) for name, each in answers.items()}
    own = torch.stack([voice.own.cpu() for voice in voices])
    right = [said[name].argmax(1) == labels for name in ("generalist alone", "with specialists")]
    return [
        clusters_table(voices, dataset),
        coverage_table(own.sum(0)[labels], *right),
        answers_table(said, labels, own),
    ]


def clusters_table(voices: Sequence[Voice], dataset: Dataset) -> Table:
    """Who they are, how much of the data is theirs, and what that adds to the other classes."""
    rows: list[list[str | int | float | None]] = []
    for place, voice in enumerate(voices, start=1):
        names = ", ".join(dataset.classes[each] for each in voice.specialty.classes)
        share = 100 * voice.specialty.share(dataset)
        rows.append([place, names, share, voice.correction])
    columns = ["specialist", "classes", "share of the examples (%)", "correction (nats)"]
    where = "its dustbin" if voices[0].specialty.dustbin else "each class that is not its own"
    return Table("Specialists", columns, rows, f"The correction is added to the logit of {where}.")


def coverage_table(covering: Tensor, before: Tensor, after: Tensor) -> Table:
    """Table 4 of the paper: examples by the number of specialists that cover the true class.

    covering [n] int64; before, after [n] bool: whether the generalist, and all, were right.
    """
    rows: list[list[str | int | float | None]] = []
    for count in range(int(covering.max()) + 1):
        here = covering == count
        first, last = int(before[here].sum()), int(after[here].sum())
        relative = 100 * (last - first) / first if first else None
        rows.append([count, int(here.sum()), last - first, relative])
    columns = [
        "specialists covering the true class",
        "test examples",
        "change in top-1 correct",
        "relative change in accuracy (%)",
    ]
    return Table("Specialists against the generalist alone", columns, rows)


def answers_table(said: dict[str, Tensor], labels: Tensor, own: Tensor) -> Table:
    """Accuracy of logits [n, classes] by name, the first to compare with, and within the sets.

    own [specialists, classes] bool.
    """
    rows: list[list[str | int | float | None]] = []
    reference = next(iter(said.values())).argmax(1) == labels
    for name, logits in said.items():
        right = logits.argmax(1) == labels
        p_value = mcnemar(right, reference) if rows else None
        within = 100 * conditional_accuracy(logits, labels, own)
        rows.append([name, 100 * float(right.double().mean()), within, p_value])
    columns = ["answer", "accuracy (%)", "conditional accuracy (%)", "McNemar p"]
    note = (
        "Conditional: examples of a specialist's classes, predictions restricted to them; "
        "averaged over specialists by their examples."
    )
    return Table("What the specialists add", columns, rows, note)


def conditional_accuracy(logits: Tensor, labels: Tensor, own: Tensor) -> float:
    """In [0, 1], over the examples of every specialist's classes; NaN where there are none."""
    right = examples = 0
    for classes in own:
        here = classes[labels]
        restricted = logits[here].masked_fill(~classes, -torch.inf)
        right += int((restricted.argmax(1) == labels[here]).sum())
        examples += int(here.sum())
    return right / examples if examples else float("nan")
