"""Writes report.md and report.html of a finished run."""

from kdistill.artifacts.files import write_text
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.html import html
from kdistill.report.markdown import markdown


def write_report(folder: RunFolder) -> None:
    """Write both reports atomically; UserError when the run is not finished or damaged."""
    write_text(folder.report_markdown, markdown(folder))
    write_text(folder.report_html, html(folder))
