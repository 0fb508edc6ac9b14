"""result.json: what is written is read; what is not a result is told in one line, never a crash."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from kdistill.artifacts.result import SCHEMA, Cost, Gain, Measure, ModelResult, Result, Table
from kdistill.errors import UserError

ERRORS = Measure(12.0, 400, (7.5, 20.1), "count", "lower", "Errors")
ECE = Measure(0.25, 400, None, "fraction", "lower")
COST = Cost(1000, 4096, None, {"1": 0.5, "256": 8.0}, "1 threads, cpu")
MEMBER = ModelResult({"errors": ERRORS})
RESULT = Result(
    experiment="digits",
    seed=1,
    config_hash="0123456789abcdef",
    main="errors",
    seconds={"student": 1.5, "total": 2.0},
    dataset={"name": "digits", "train": 1000, "classes": ["0", "1"]},
    models={
        "teacher": ModelResult({"errors": ERRORS, "ece": ECE}, COST, [MEMBER, MEMBER]),
        "student": ModelResult({"errors": ERRORS}, COST),
        "baseline": None,
    },
    compression={"parameters": 4.0, "multiply_adds": None},
    gain=Gain(None, 0.25, "McNemar", ["errors"]),
    signals={"mode": "stored", "asked": 3},
    environment={"torch": "2", "command": ["kdistill", "train"]},
    second="ece",
    warnings=["careful"],
    terms={"ECE": "how far off"},
    tables=[Table("Covered", ["by", "cases", "gain"], [["none", 3, 0.5], ["one", 0, None]], "n")],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    RESULT.write(tmp_path / "result.json")
    return tmp_path / "result.json"


def test_what_is_written_is_read(path: Path) -> None:
    assert Result.read(path) == RESULT
    assert isinstance(Result.read(path).models["student"].measures["errors"].interval, tuple)


def test_a_whole_number_may_stand_for_a_float(path: Path) -> None:
    """JSON written by other tools drops the .0 of 2.0."""
    stored = json.loads(path.read_text())
    stored["seconds"]["total"] = 2
    path.write_text(json.dumps(stored))
    assert Result.read(path) == RESULT


def test_what_a_result_may_lack(path: Path) -> None:
    stored = json.loads(path.read_text())
    del stored["warnings"], stored["tables"], stored["models"]["student"]["members"]
    path.write_text(json.dumps(stored))
    read = Result.read(path)
    assert read.warnings == []
    assert read.tables == []
    assert read.models == RESULT.models


def test_a_newer_schema_is_refused_whatever_else_it_holds(path: Path) -> None:
    path.write_text(json.dumps({"schema": SCHEMA + 1, "runs": []}))
    with pytest.raises(UserError, match=rf"schema {SCHEMA + 1}, this one .* upgrade kdistill"):
        Result.read(path)


def test_an_earlier_schema_is_refused_in_one_line(path: Path) -> None:
    path.write_text(json.dumps({"schema": SCHEMA - 1, "gain": {}}))
    with pytest.raises(UserError, match="an earlier kdistill .*; train again in another folder$"):
        Result.read(path)


@pytest.mark.parametrize("content", ["[]", "null", "3", '"text"', "{}", '{"schema": "1"}'])
def test_json_that_is_no_result_is_refused(content: str, path: Path) -> None:
    path.write_text(content)
    with pytest.raises(UserError, match=r"result\.json: not a kdistill result"):
        Result.read(path)


def test_a_missing_or_cut_file_is_refused(path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Result.read(path.with_name("other.json"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="damaged JSON"):
        Result.read(path)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in nested JSON."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in pairs:
        yield (*place, name)
        if isinstance(each, (dict, list)):
            yield from places(each, (*place, name))


FREE = ("dataset", "signals", "environment")  # dictionaries of whatever is worth keeping
TYPED = [
    place
    for place in places(json.loads(json.dumps(RESULT, default=vars)))
    if place[0] not in FREE or len(place) == 1
]


WRONG = [
    pytest.param(place, wrong, id=f"{'.'.join(map(str, place))}-{type(wrong).__name__}")
    for place in TYPED
    for wrong in (True, [[]], {"x": {}})
    if not (isinstance(wrong, dict) and place[0] in FREE)
]


@pytest.mark.parametrize(("place", "wrong"), WRONG)
def test_a_value_of_the_wrong_kind_is_told_in_one_line(
    place: tuple[Any, ...], wrong: Any, path: Path
) -> None:
    stored = deepcopy(json.loads(path.read_text()))
    node = stored
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = wrong
    path.write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"result\.json: not a kdistill result") as told:
        Result.read(path)
    assert "\n" not in str(told.value)


def test_the_place_of_the_wrong_value_is_named(path: Path) -> None:
    stored = json.loads(path.read_text())
    stored["models"]["teacher"]["members"][1]["measures"]["errors"]["n"] = "many"
    path.write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"models\.teacher\.members\[1\]\.measures\.errors\.n is"):
        Result.read(path)


def test_a_key_too_many_or_too_few_is_named(path: Path) -> None:
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "surprise": 1}))
    with pytest.raises(UserError, match="surprise"):
        Result.read(path)
    del stored["gain"]
    path.write_text(json.dumps(stored))
    with pytest.raises(UserError, match="gain"):
        Result.read(path)


def test_a_table_is_complete() -> None:
    with pytest.raises(ValueError, match=r"'Covered': row 1 has 1 entries for 2 columns"):
        Table("Covered", ["by", "cases"], [["none", 3], ["one"]])
    with pytest.raises(ValueError, match=r"'Covered': has no column"):
        Table("Covered", [], [])


def test_numbers_of_a_table_keep_their_kind(path: Path) -> None:
    row = Result.read(path).tables[0].rows[0]
    assert [type(value) for value in row] == [str, int, float]
