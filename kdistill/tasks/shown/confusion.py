"""What teacher and student take for what."""

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor

from kdistill.artifacts.figures import Matrix
from kdistill.measures.confusion import Pair, confused_pairs, mistakes
from kdistill.report import numbers

MOST = 20  # classes up to which a matrix has them all
PAIRS = 12  # the most frequent mistakes, whose classes are shown of more
MODELS = ("teacher", "student")


def confusion_matrices(
    probabilities: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str]
) -> list[Matrix]:
    """A matrix for teacher and student, of probabilities [n, classes] against labels [n]."""
    pairs = {m: mistakes(probabilities[m], labels) for m in MODELS if m in probabilities}
    shown = _shown(pairs, len(classes))
    return [
        Matrix(
            model,
            [classes[each] for each in shown],
            _counts(probabilities[model], labels, shown),
            len(classes),
            _described(found, len(labels), classes),
        )
        for model, found in pairs.items()
    ]


def _shown(pairs: Mapping[str, Counter[Pair]], classes: int) -> list[int]:
    """All classes, or, of many, those of the most frequent mistakes of the models together."""
    if classes <= MOST:
        return list(range(classes))
    worst = confused_pairs(sum(pairs.values(), Counter[Pair]()))[:PAIRS]
    return sorted({each for row, column, _ in worst for each in (row, column)})


def _counts(probabilities: Tensor, labels: Tensor, shown: Sequence[int]) -> list[list[int]]:
    answers = probabilities.cpu().argmax(1).tolist()
    found = Counter(zip(labels.cpu().tolist(), answers, strict=True))
    return [[found[row, column] for column in shown] for row in shown]


def _described(found: Counter[Pair], cases: int, classes: Sequence[str]) -> str:
    wrong = f"{numbers.whole(found.total())} of {numbers.whole(cases)} wrong"
    worst = [
        f"{classes[row]} for {classes[column]} ({numbers.whole(count)})"
        for row, column, count in confused_pairs(found)[:3]
    ]
    often = f"; most often it takes {', '.join(worst)}" if worst else ""
    return f"{wrong}{often}. Down: the class, across: the answer."
