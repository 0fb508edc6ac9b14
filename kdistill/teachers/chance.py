"""Whether a teacher knows anything, asked before a student spends hours on its answers."""

from torch import nn

from kdistill.data.batch import Examples
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.measures.intervals import wilson


def at_chance(network: nn.Module, validation: Examples, process: Process) -> str | None:
    """A warning where `network` is not clearly better than always naming one class.

    That is where the 95 % interval of its accuracy reaches down to the share of the most frequent
    class. None where it is better, or where there are no labelled validation examples.
    """
    if not len(validation) or validation.labels is None:
        return None
    labels = validation.labels.cpu()
    n = len(labels)
    right = int((predict(network, validation, process).argmax(dim=1) == labels).sum())
    chance = int(labels.bincount().max()) / n
    if wilson(right, n)[0] > chance:
        return None
    return (
        f"the teacher is right on {right} of {n} validation examples ({right / n:.1%}), no better "
        f"than chance ({chance:.1%} by naming one class); train it longer, with another "
        "teacher.fit.optimizer.lr, or give other teacher.weights"
    )
