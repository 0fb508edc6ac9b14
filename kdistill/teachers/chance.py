"""Whether a teacher knows anything, asked before a student spends hours on its answers."""

from torch import Tensor

from kdistill.measures.intervals import wilson


def at_chance(logits: Tensor, labels: Tensor) -> str | None:
    """A warning where validation `logits` [n, classes] are not clearly better at `labels` [n], on
    the CPU, than always naming one class; n >= 1.

    That is where the 95 % interval of its accuracy reaches down to the share of the most frequent
    class. None where it is better.
    """
    n = len(labels)
    right = int((logits.argmax(dim=1) == labels).sum())
    chance = int(labels.bincount().max()) / n
    if wilson(right, n)[0] > chance:
        return None
    return (
        f"the teacher is right on {right} of {n} validation examples ({right / n:.1%}), no better "
        f"than chance ({chance:.1%} by naming one class); train it longer, with another "
        "teacher.fit.optimizer.lr, or give other teacher.weights"
    )
