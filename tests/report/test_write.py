"""Both reports land in the run folder."""

from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import read
from kdistill.report.html import html
from kdistill.report.markdown import markdown
from kdistill.report.write import write_report


def test_writes_both_and_leaves_no_other_file(folder: RunFolder) -> None:
    before = {path.name for path in folder.path.iterdir()}
    write_report(folder)
    contents = read(folder)
    assert folder.report_markdown.read_text(encoding="utf-8") == markdown(contents)
    assert folder.report_html.read_text(encoding="utf-8") == html(contents)
    assert {path.name for path in folder.path.iterdir()} - before == {"report.md", "report.html"}
