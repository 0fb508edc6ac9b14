"""The house: what a run is for is decided in the rooms that own it, nowhere by name or class.

Read from the syntax tree, so that words in docstrings and comments are free.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdistill

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
