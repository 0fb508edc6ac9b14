"""sweep.md: the table of a sweep as Markdown that pastes into an issue."""

from kdistill.report.markdown import escaped, table
from kdistill.report.sweep.table import SweepTable


def sweep_markdown(laid: SweepTable) -> str:
    """The summary of a sweep; the best row is bold."""
    rows = [
        [f"**{escaped(cell)}**" if cell and place == laid.best else escaped(cell) for cell in row]
        for place, row in enumerate(laid.rows)
    ]
    blocks = [
        f"# {escaped(laid.name)}",
        f"**{escaped(laid.verdict)}**",
        table([escaped(text) for text in laid.head], rows),
        "\n".join(f"- {escaped(answer)}" for answer in laid.answers[:-1]),
        *(escaped(how) for how in laid.answers[-1:]),
        *(escaped(note) for note in laid.notes),
        "\n".join(f"- {escaped(problem)}" for problem in laid.problems),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"
