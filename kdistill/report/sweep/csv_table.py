"""sweep.csv: a row for each setting, with every measure of every model."""

import csv
from io import StringIO

from kdistill.printable import printable
from kdistill.report.comparison import MODELS
from kdistill.report.sweep.summary import VALIDATION, Row, Sweep, measured
from kdistill.report.sweep.values import number

STATES = ("finished", "failed", "unfinished")
# what a spreadsheet computes when a cell begins with it; the last four are wide letters
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def sweep_csv(sweep: Sweep) -> str:
    """Keys, jobs by state, best, p_value; then MODEL_MEASURE_mean, _deviation and _n of each."""
    columns = _columns(sweep)
    head = [*sweep.keys, *STATES, "best", "p_value"]
    head += [
        f"{model}_{name}_{part}" for model, name in columns for part in ("mean", "deviation", "n")
    ]
    written = StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(map(cell, head))
    for row in sweep.rows:
        figures = [text for column in columns for text in _figures(row, *column)]
        states = [row.count(state) for state in STATES]
        p = None if row is sweep.best else sweep.p_value(row)
        judged = [int(row is sweep.best), "" if p is None else repr(p)]
        lines.writerow([*map(cell, row.values), *states, *judged, *figures])
    return written.getvalue()


def cell(text: str) -> str:
    """`text` on one line; one that a spreadsheet would compute begins with an apostrophe."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(FORMULA) and number(shown) is None else shown


def _columns(sweep: Sweep) -> list[tuple[str, str]]:
    """(model, measure) of everything that was measured, in the order of the reports."""
    results = [result for row in sweep.rows for result in row.results.values()]
    return list(
        dict.fromkeys(
            (model, name)
            for model in (*MODELS, VALIDATION)
            for result in results
            for name in measured(result, model)
        )
    )


def _figures(row: Row, model: str, name: str) -> list[str]:
    spread = row.spread(model, name)
    if spread is None:
        return ["", "", "0"]
    deviation = "" if spread.deviation is None else repr(spread.deviation)
    return [repr(spread.mean), deviation, str(spread.n)]
