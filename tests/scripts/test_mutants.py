"""Tests of the mutants: what is changed, what is drawn, and what the tests are found to notice."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def _scripts_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)


def changed(line: str) -> set[str]:
    """What becomes of a line inside a function."""
    source = f"def f(a, b):\n    {line}"
    return {after.strip() for _, after in import_module("mutation.changes").changes(source)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = (a + b) * b", {"x = (a - b) * b", "x = (a + b) / b"}),
        ("x = a and (b or a)", {"x = a or (b or a)", "x = a and (b and a)"}),
        ("x = not (a or b)", {"x = (a or b)", "x = not (a and b)"}),
        ("x = b if a else None", {"x = b if not (a) else None"}),
        ("x = 1.5", {"x = 2.5", "x = 0.5"}),
        ("x = True", {"x = False"}),
        ("return a", {"return None"}),
        ("a.append(b)", {"pass"}),
        ("a.x = b", {"pass"}),
        ("a -= b", {"pass"}),
        ("raise a", {"pass"}),
        ("x = f(a, b)", {"x = f(b, a)"}),
        ("x = 'ü' == b", {"x = 'ü' != b"}),
        ("x: int | None = a", set()),
        ("x = f'{a + b}'", set()),
        ("x = a <\\\n    b", set()),
        ("x = 'text'", set()),
        ("x = f(*a, b)", set()),
    ],
)
def test_a_line_has_these_mistakes(line: str, expected: set[str]) -> None:
    assert changed(line) == expected


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two modules, of which one has tests, and another that the tested one imports."""
    files = {
        "kdistill/room/sums.py": "from kdistill.room.parts import one\n\n\ndef add(a, b):\n"
        "    unused = a + 7\n    return a + b * one()\n",
        "kdistill/room/parts.py": "def one():\n    return 1\n",
        "kdistill/__init__.py": "",
        "kdistill/lonely.py": "x = 1\n",
        "pyproject.toml": "[tool.pytest.ini_options]\n",
        "tests/room/test_sums.py": "from kdistill.room.sums import add\n\n\n"
        "def test_add():\n    assert add(2, 3) == 5\n\n\ndef test_broken():\n    assert False\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_mutants_are_drawn_by_the_seed_from_lines_that_were_run(project: Path) -> None:
    drawn = import_module("mutants").drawn
    every = drawn(project, 99, 0, None)
    assert every == drawn(project, 99, 0, None)
    assert sorted((each.file, each.line) for each in every) == [
        ("kdistill/lonely.py", 1),
        ("kdistill/room/parts.py", 2),
        ("kdistill/room/sums.py", 5),
        ("kdistill/room/sums.py", 6),
    ]
    assert drawn(project, 2, 0, None) == every[:2]
    assert drawn(project, 99, 1, None) != every
    (only,) = drawn(project, 99, 0, {"kdistill/room/sums.py": [1, 6]})
    assert (only.line, only.before) == (6, "    return a + b * one()")


def test_what_the_tests_notice_is_killed(project: Path) -> None:
    """A test that fails anyhow notices nothing."""
    trials = import_module("mutation.trials")
    attempts = trials.Trials([project])
    sums, parts = "kdistill/room/sums.py", "kdistill/room/parts.py"
    for file, line, before, after, status in (
        (sums, 6, "    return a + b * one()", "    return a - b * one()", "killed"),
        (sums, 5, "    unused = a + 7", "    unused = a + 8", "survived"),
        (parts, 2, "    return 1", "    return 2", "killed"),  # by the tests of what imports it
        ("kdistill/lonely.py", 1, "x = 1", "x = 2", "untested"),
    ):
        content = (project / file).read_text()
        tried = attempts.tried(trials.Mutant(file, line, before, after))
        assert tried["status"] == status
        assert (tried["file"], tried["after"]) == (file, after)
        assert (project / file).read_text() == content


def test_a_mutant_is_found_where_its_line_now_stands(project: Path) -> None:
    found = import_module("mutants").found_again
    mutant = import_module("mutation.trials").Mutant
    known = mutant("kdistill/old/sums.py", 40, "        unused = a + 7", "        unused = a + 8")
    moved: Any = found(known, project)
    assert moved == mutant("kdistill/room/sums.py", 5, "    unused = a + 7", "    unused = a + 8")
    assert found(mutant("kdistill/room/sums.py", 6, "return a", "return None"), project) is None
    (project / "kdistill" / "a.py").write_text("x = 1\nx = 2\nx = 1\n")
    assert found(mutant("kdistill/a.py", 4, "x = 1", "x = 0"), project).line == 3  # the nearest
    assert found(mutant("kdistill/b.py", 4, "x = 1", "x = 0"), project) is None  # which of three?
