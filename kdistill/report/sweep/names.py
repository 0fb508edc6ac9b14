"""What keys and rows of a sweep are called, and how their figures are written."""

from kdistill.report import numbers
from kdistill.report.sweep.summary import Row, Sweep
from kdistill.report.sweep.values import number


def short(keys: tuple[str, ...]) -> list[str]:
    """Each key without the groups above it, where that tells it from the others."""
    last = [key.split(".")[-1] for key in keys]
    return [end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)]


def settings(sweep: Sweep, place: int) -> dict[str, list[Row]]:
    """Rows whose key at `place` is a number, by the setting of the other keys: 'widths=[30]'."""
    found: dict[str, list[Row]] = {}
    labels = [label for at, label in enumerate(short(sweep.keys)) if at != place]
    for row in sweep.rows:
        if number(row.values[place]) is not None:
            others = (value for at, value in enumerate(row.values) if at != place)
            pairs = zip(labels, others, strict=True)
            found.setdefault(", ".join(f"{k}={v}" for k, v in pairs), []).append(row)
    return found


def named(sweep: Sweep, row: Row) -> str:
    """'temperature=4, width=30'."""
    pairs = zip(short(sweep.keys), row.values, strict=True)
    return ", ".join(f"{key}={value or '(none)'}" for key, value in pairs) or "this setting"


def figure(row: Row, model: str, main: str) -> str:
    """'41.3 ± 2.1', with the number of seeds where it is not that of the finished ones."""
    spread = row.spread(model, main)
    if spread is None:
        return ""
    text = numbers.spread(spread.mean, spread.deviation, spread.unit)
    return text if spread.n == len(row.results) else f"{text} (n = {spread.n})"
