"""Reliability diagram: how often each model is right when it claims a given confidence."""

from collections.abc import Mapping

from torch import Tensor

from kdistill.artifacts.figures import Curves, Line
from kdistill.measures.calibration import reliability
from kdistill.report.comparison import MODELS

FEW = 5  # a bin with fewer cases says too little to draw
Bin = tuple[float, float, int]  # mean confidence, share right, cases


def reliability_curves(probabilities: Mapping[str, Tensor], labels: Tensor, bins: int) -> Curves:
    """A line for each model, of its probabilities [n, classes] against labels [n] int64."""
    found = {
        model: _bins(probabilities[model], labels, bins)
        for model in MODELS
        if model in probabilities
    }
    perfect = Line("Perfectly calibrated", "", [0, 1], [0, 1])
    lines = [_line(model, filled) for model, filled in found.items()]
    lines = [perfect, *(line for line in lines if line.x)]
    return Curves("Reliability", "confidence", "share right", lines, _described(found, bins))


def _bins(probabilities: Tensor, labels: Tensor, bins: int) -> list[Bin]:
    table = reliability(probabilities, labels, bins)
    columns = (table.confidence.tolist(), table.accuracy.tolist(), table.count.tolist())
    return [(c, a, int(n)) for c, a, n in zip(*columns, strict=True) if n > 0]


def _line(model: str, filled: list[Bin]) -> Line:
    drawn = [each for each in filled if each[2] >= FEW]
    confidence, right = [c for c, _, _ in drawn], [a for _, a, _ in drawn]
    return Line(MODELS[model], model, confidence, right, cases=[n for _, _, n in drawn])


def _described(found: Mapping[str, list[Bin]], bins: int) -> str:
    claims = []
    for model, filled in found.items():
        total = sum(n for _, _, n in filled)
        claimed = sum(c * n for c, _, n in filled) / total
        right = sum(a * n for _, a, n in filled) / total
        claims.append(
            f"{MODELS[model]}: claims {100 * claimed:.2f} %, is right {100 * right:.2f} %"
        )
    return (
        f"{'. '.join(claims)}. Above the diagonal a model is too modest, below it too sure; "
        f"larger marks are more test cases ({bins} bins; those under {FEW} cases are left out)."
    )
