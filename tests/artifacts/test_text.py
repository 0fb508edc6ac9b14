"""The door for text: what is read is what was written, and no text exhausts whoever reads it."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdistill.artifacts import text
from kdistill.artifacts.text import (
    parse_json,
    parse_yaml,
    read_json,
    read_json_lines,
    read_text,
    read_yaml,
)
from kdistill.errors import UserError

Read = Callable[[Path], Any]
READERS = [read_text, read_json, read_yaml, read_json_lines]

SHARED = {"widths": [8, 8]}
VALUES = [
    {"a": [1, 2.5, None, True, "é", ""], "b": {"c": [], "d": {}}},
    {"one": SHARED, "other": SHARED},  # which YAML writes as an alias
    {"date": "2026-02-31", "number": "0x1", "big": 2**64 - 1, "low": -(2**63), "small": 1e-300},
    "😀",
    [[]] * 50,
]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_yaml(yaml.safe_dump(value)) == value


def test_what_only_one_of_them_writes() -> None:
    assert parse_yaml("a: .inf\nb: 1e-3\nc: 2020-13-99") == {
        "a": float("inf"),
        "b": "1e-3",  # as YAML 1.1 has it
        "c": "2020-13-99",
    }
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}
    assert parse_yaml("") is None
    assert parse_json('"[[[["') == "[[[["


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def chain(first: str, link: str, count: int) -> str:
    """Anchors that each hold the one before, inside a list that is read after the last of them."""
    links = "".join(f"  - &a{n} {link.format(n - 1)}\n" for n in range(1, count))
    return f"top:\n- inner:\n  - &a0 {first}\n{links}- {{<<: *a{count - 1}}}\n"


def doubling(first: str, link: str) -> str:
    """27 anchors, each of which holds the one before twice."""
    links = "".join(f"a{n}: &a{n} {link.format(f'*a{n - 1}')}\n" for n in range(1, 28))
    return f"a0: &a0 {first}\n{links}"


BOTH = {  # JSON that is YAML too
    "no end": "[" * 5000,
    "deep": nested(101),
    "deep mappings": '{"a":' * 101 + "1" + "}" * 101,
    "digits": "[" + "9" * 6000 + "]",
    "65 bits": f"[{2**64}]",
    "65 bits below zero": f"[{-(2**63) - 1}]",
    "NUL": '["\\u0000"]',
    "NUL in a key": '{"\\u0000": 1}',
    "raw NUL": '["\0"]',
    "half a character": '["\\ud800"]',
    "no value": "[1, ",
}
IN_JSON = {
    "NaN": "[NaN]",
    "infinity": "[-Infinity]",
    "too large a number": "[1e999]",
    "a number that no run writes": "[-1e101]",
    "empty": "",
    "escapes without end": '"' + '\\"' * 100_000,
    "brackets without end": '["' * 100_000,
}
IN_YAML = {
    "deep blocks": "- " * 101 + "x",
    "deep keys": "? " * 101,
    "itself": "&a [*a]",
    "itself below": "a: &a\n  b: {c: [*a]}",
    "nobody": "[*a]",
    "twice": "[&a 1, &a 2]",
    "lists that double": doubling("[x]", "[{0}, {0}]"),
    "merged keys that double": doubling("{x: 1}", "{{<<: [{0}, {0}]}}"),
    "a chain of lists": chain("[x]", "[*a{}]", 200),
    "a chain of merged keys": chain("{x: 1}", "{{<<: *a{}}}", 200),
    "many": f"[{'x,' * 100_001}]",
    "base 60": "a: 1" + ":59" * 100_000,
    "fractions of base 60": "a: !!float 1" + ":59" * 100_000,
    "base 16": "a: 0x" + "f" * 100_000,
    "code": "!!python/object/apply:os.system [ls]",
    "a tag of ours": "!mine x",
    "bytes": "!!binary aGFsbG8=",
    "a date": "!!timestamp 2026-01-01",
    "no boolean": "!!bool maybe",
    "no whole number": "!!int ''",
    "no fraction": "!!float x",
    "no text": "!!str []",
    "merged with no mapping": "{<<: 1}",
    "a list for a key": "[a]: b",
    "null for a key": "null: b",
    "two documents": "a\n---\nb",
    "a control character": "a: \x1b",
}


@pytest.mark.parametrize("name", [*BOTH, *IN_JSON])
def test_what_is_no_json_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text({**BOTH, **IN_JSON}[name])
    with pytest.raises(UserError, match=r"x\.json: damaged JSON \(.+\); delete it and ru") as told:
        read_json(tmp_path / "x.json")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", [*BOTH, *IN_YAML])
def test_what_is_no_plain_yaml_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text({**BOTH, **IN_YAML}[name])
    with pytest.raises(UserError, match=r"x\.yaml: damaged YAML \(.+\); restore it or") as told:
        read_yaml(tmp_path / "x.yaml")
    assert "\n" not in str(told.value)


def test_the_limit_of_depth_follows_aliases() -> None:
    assert parse_yaml(f"a: &a {nested(40)}\nb: {'[' * 50}*a{']' * 50}")
    with pytest.raises(ValueError, match="nested deeper than 100"):
        parse_yaml(f"a: &a {nested(60)}\nb: {'[' * 50}*a{']' * 50}")


DEEP = f'{{"a": {nested(101)}}}'
DAMAGED_LINES = ["", "[1]", "3", "null", '{"a": ', "\udcff", '{"a": "\\ud800"}', DEEP]


@pytest.mark.parametrize("damage", DAMAGED_LINES)
def test_a_line_that_is_no_object_is_named(damage: str, tmp_path: Path) -> None:
    whole = f'{{"a": 1}}\n{{"a": []}}\n{damage}\n{{"b": 2}}\n'
    (tmp_path / "x.jsonl").write_bytes(whole.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"x\.jsonl:3: damaged; it must be a line of JSON"):
        read_json_lines(tmp_path / "x.jsonl")


def test_a_figure_may_be_nan_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": Infinity, "b": [NaN]}\n')
    (line,) = read_json_lines(tmp_path / "x.jsonl", finite=False)
    assert math.isinf(line["a"])
    assert math.isnan(line["b"][0])
    with pytest.raises(UserError, match=r"x\.jsonl:1: damaged"):
        read_json_lines(tmp_path / "x.jsonl")


def test_lines_are_limited_in_length_and_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n' * 4)
    monkeypatch.setattr(text, "LINES", 4)
    assert len(read_json_lines(path)) == 4
    monkeypatch.setattr(text, "LINES", 3)
    with pytest.raises(UserError, match=r"x\.jsonl:4: damaged"):
        read_json_lines(path)
    path.write_text(json.dumps({"a": "x" * text.LINE}))
    with pytest.raises(UserError, match=r"x\.jsonl:1: damaged"):
        read_json_lines(path)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_refused(read: Read, tmp_path: Path) -> None:
    places = {"gone": "no such file", "folder": "it is a folder", "pipe": "it is a pipe"}
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    for name, said in {**places, "zero": "a device", "loop": "cannot be read", "\0": "rea"}.items():
        if read is read_json_lines and name in ("gone", "\0"):
            assert read(tmp_path / name) == []
            continue
        with pytest.raises(UserError, match=said) as told:
            read(tmp_path / name)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("read", READERS[:3])
def test_a_large_file_and_one_that_is_no_text_are_refused(read: Read, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)  # of which the disk holds nothing
    (tmp_path / "latin").write_bytes('"é"'.encode("latin-1"))
    for name, said in (("large", "larger than 8 MB"), ("latin", "can't decode byte 0xe9")):
        with pytest.raises(UserError, match=f"{name}: damaged .*{said}") as told:
            read(tmp_path / name)
        assert "\n" not in str(told.value)
