"""The house: what a run is for is decided in the rooms that own it, nowhere by name or class.

Read from the syntax tree, so that words in docstrings and comments are free.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdistill
from kdistill.paths import CONFIG_DIR

HOUSE = Path(kdistill.__file__).parent


def rooms(*owners: str) -> dict[str, ast.Module]:
    """The modules of kdistill by their path, but for those of the `owners`."""
    files = (file.relative_to(HOUSE) for file in sorted(HOUSE.rglob("*.py")))
    others = [file for file in files if file.parts[0] not in owners]
    return {str(file): ast.parse((HOUSE / file).read_text("utf-8")) for file in others}


NAMES = {"logits", "log_density", "score", "slopes", "input_gradients"}  # of signals, and once so
CLASSES = {"Answer", "InputGradients", "Slopes", "Score", "Feature"}


def signals_by_name(tree: ast.Module) -> Iterator[int]:
    """Lines that take a signal by a string, or tell signals apart by their class."""
    for node in ast.walk(tree):
        named = isinstance(node, ast.Constant) and node.value in NAMES
        if named or "answer" in _looked_up(node) or CLASSES & _told_apart(node):
            yield node.lineno  # type: ignore[attr-defined]


def _looked_up(node: ast.AST) -> list[object]:
    """The constants that are compared, looked up or put into a set."""
    match node:
        case ast.Compare():
            values = [node.left, *node.comparators]
        case ast.Subscript():
            values = [node.slice]
        case ast.Set():
            values = node.elts
        case _:
            values = []
    return [value.value for value in values if isinstance(value, ast.Constant)]


def _told_apart(node: ast.AST) -> set[str]:
    """The names in a question for a class."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"):
        return set()
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def test_signals_are_objects_outside_their_room() -> None:
    trees = rooms("signals")
    assert len(trees) > 150
    found = [f"{file}:{line}" for file, tree in trees.items() for line in signals_by_name(tree)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'fits = "logits" in loss.student_needs',
        'needs = frozenset({"answer", *others})',
        'value = stored["answer"]',
        "closed = isinstance(signal, Slopes)",
        'taught = {"logits": zeros}',
        'value = getattr(said, "score")',
    ],
)
def test_a_signal_by_name_would_be_seen(line: str) -> None:
    assert [*signals_by_name(ast.parse(line))] == [1]


# what draws and prints a run knows no figure of one task, no signal and no file of one task
SHOWING = (
    "report",
    "cli",
    "artifacts/result.py",
    "artifacts/figures.py",
    "artifacts/run_folder.py",
)
FIGURES = (
    *("errors", "accuracy", "nll", "brier", "ece", "agreement", "kl_to_teacher"),
    *("log_likelihood", "kl_teacher_student", "kl_student_teacher", "recordings_wrong"),
)
KEPT = ("predictions", "gallery", "densities", "samples", "labels")
TASKS = [file.stem for group in ("measure", "task") for file in (CONFIG_DIR / group).glob("*.yaml")]
SPECIAL = {*FIGURES, *KEPT, *TASKS, *NAMES}
MAKERS = ("tasks", "signals", "losses", "teachers", "students", "models", "data", "measures")
STATISTICS = "kdistill.measures.significance"


def showing(*places: str) -> dict[str, ast.Module]:
    return {file: tree for file, tree in rooms().items() if file.startswith(places)}


def spoken(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, word) of every text but docstrings, of every attribute and of every field."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds)]
    docstrings = {body[0].value for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(word)) if node not in docstrings:
                yield node.lineno, word
            case ast.Attribute(attr=word):
                yield node.lineno, word
            case ast.AnnAssign(target=ast.Name(id=word)):
                yield node.lineno, word


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, module) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)


def test_what_shows_a_run_names_no_figure_task_or_file_of_one_task() -> None:
    trees = showing(*SHOWING)
    assert len(trees) > 40
    words = [(file, *word) for file, tree in trees.items() for word in spoken(tree)]
    assert [f"{file}:{line}: {word}" for file, line, word in words if word in SPECIAL] == []


def test_a_report_needs_nothing_that_made_the_run() -> None:
    makers = tuple(f"kdistill.{room}" for room in MAKERS)
    found = [
        f"{file}:{line}: {module}"
        for file, tree in showing("report").items()
        for line, module in imported(tree)
        if module.startswith(makers) and module != STATISTICS
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'title = TITLES["nll"]',
        "found = contents.predictions",
        'counted = main == "errors"',
        "class Contents: samples: dict[str, Tensor]",
        'return dict.fromkeys((sweep.main, "nll"))',
        'file = self.path / f"{kind}" / "gallery"',
    ],
)
def test_a_name_of_one_task_would_be_seen(line: str) -> None:
    assert any(word in SPECIAL for _, word in spoken(ast.parse(line)))


def test_a_docstring_may_say_anything() -> None:
    text = (
        '"""nll"""\nclass A:\n    "errors"\n    def f(self):\n        "accuracy"\n        return 1'
    )
    assert not any(word in SPECIAL for _, word in spoken(ast.parse(text)))
