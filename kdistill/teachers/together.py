"""How networks do alone and together: the errors of their average member and of their ensembles."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdistill.artifacts.result import Entry, Table
from kdistill.data.batch import Dataset, Examples
from kdistill.data.labels import labels_of
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.tasks.classification import combined
from kdistill.teachers.ensemble import COMBINATIONS


def combinations_table(members: Sequence[nn.Module], dataset: Dataset, process: Process) -> Table:
    """Errors on validation and test data: the mean of the members, and each way to combine them."""
    rows = ["average member", *(f"together, {how} mean" for how in COMBINATIONS)]
    parts = {"validation": dataset.validation, "test": dataset.test}
    counted = {
        f"{name} errors": errors_alone_and_together(members, examples, process)
        for name, examples in parts.items()
        if len(examples) and examples.targets is not None
    }
    table: list[list[Entry]] = [
        [row, *(errors[at] for errors in counted.values())] for at, row in enumerate(rows)
    ]
    return Table("Members alone and together", ["", *counted], table)


def errors_alone_and_together(
    members: Sequence[nn.Module], examples: Examples, process: Process
) -> list[float]:
    """Wrong answers on labelled examples: of the average member, then in order of COMBINATIONS."""
    labels = labels_of(examples)
    assert labels is not None
    labels = labels.cpu()

    def wrong(logits: Tensor) -> int:
        return int((logits.argmax(dim=1) != labels).sum())

    said = torch.stack([predict(member, examples, process) for member in members])
    alone = [wrong(logits) for logits in said]
    return [sum(alone) / len(alone), *(wrong(combined(said, how)) for how in COMBINATIONS)]
