"""Writes sweep.md, sweep.html and sweep.csv into the folder of a sweep."""

from pathlib import Path

from kdistill.artifacts.files import write_text
from kdistill.report.sweep.csv_table import sweep_csv
from kdistill.report.sweep.html import sweep_html
from kdistill.report.sweep.markdown import sweep_markdown
from kdistill.report.sweep.summary import read_sweep
from kdistill.report.sweep.table import SweepTable, tabulate

PAGE = "sweep.html"


def write_sweep(folder: Path) -> SweepTable:
    """Sum up the runs in `folder`, finished or not; UserError when it holds none."""
    sweep = read_sweep(folder)
    laid = tabulate(sweep)
    write_text(folder / "sweep.md", sweep_markdown(laid))
    write_text(folder / "sweep.csv", sweep_csv(sweep))
    write_text(folder / PAGE, sweep_html(sweep, laid))
    return laid
