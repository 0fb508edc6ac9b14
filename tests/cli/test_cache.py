"""`kdistill cache`: what is stored, and removing it."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from kdistill.cli import main
from kdistill.cli.cache import entries


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Two teachers, three and one days old, the answers of one, and what a crash left."""
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    store(tmp_path, "teachers/aaa/teacher.json", "MLP seed 1", 3)
    store(tmp_path, "teachers/bbb/teacher.json", "MLP seed 2", 1)
    store(tmp_path, "answers/ccc/answers.json", "mnist, 60000 inputs", 3)
    (tmp_path / "cache/teachers/ddd").mkdir()
    return tmp_path / "cache"


def store(folder, name, description, days):
    path = folder / "cache" / name
    path.parent.mkdir(parents=True)
    created = (datetime.now(timezone.utc) - timedelta(days=days, hours=1)).isoformat()
    path.write_text(json.dumps({"description": description, "seconds": 12.4, "created": created}))
    (path.parent / "weights.bin").write_bytes(b"0" * 1_500_000)


def test_lists_kind_name_description_size_age_and_time(cache, capsys):
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if "aaa" in line)
    for part in ("teachers", "MLP seed 1", "1.50 MB", "3 d", "12 s"):
        assert part in row
    assert f"4 entries, 4.50 MB in {cache}" in shown
    assert "(unfinished)" in next(line for line in shown.splitlines() if "ddd" in line)


def test_an_empty_cache_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "nothing"))
    assert main(["cache", "list"]) == 0
    assert main(["cache", "clean"]) == 0
    assert "0 entries, 0 B" in capsys.readouterr().out


def test_clean_removes_all_and_says_what_it_freed(cache, capsys):
    assert main(["cache", "clean", "--yes"]) == 0
    assert "removed 4 entries, 4.50 MB freed" in capsys.readouterr().out
    assert list(entries()) == []


def test_clean_can_spare_what_is_young(cache):
    assert main(["cache", "clean", "--yes", "--older-than", "2"]) == 0
    assert [entry.path.name for entry in entries()] == ["bbb", "ddd"]


@pytest.mark.parametrize(("answer", "left"), [("n", 4), ("", 4), ("y", 0), ("YES", 0)])
def test_clean_asks(answer, left, cache, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main(["cache", "clean"]) == 0
    assert len(list(entries())) == left


@pytest.mark.parametrize(
    ("words", "said"),
    [(["clean"], "--yes"), (["clean", "--older-than", "-1"], ">= 0"), (["nope"], "'nope'")],
)
def test_a_mistake_is_one_line_and_removes_nothing(words, said, cache, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["cache", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert len(list(entries())) == 4
