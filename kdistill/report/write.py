"""Writes report.md and report.html of a finished run."""

from kdistill.artifacts.files import write_text
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import read
from kdistill.report.html import html
from kdistill.report.markdown import markdown


def write_report(folder: RunFolder) -> None:
    """Write both reports atomically; UserError when the run is not finished or damaged."""
    contents = read(folder)
    write_text(folder.report_markdown, markdown(contents))
    write_text(folder.report_html, html(contents))
