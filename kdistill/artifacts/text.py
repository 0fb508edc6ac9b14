"""The one door for text that may be a stranger's: JSON, lines of JSON and YAML.

Size, depth, numbers and what aliases expand to are limited before anything is made of the text, so
that no file exhausts memory, time or the stack. Whatever is wrong with a file is a UserError of one
line that names it. YAML makes plain values alone: no dates, no bytes, no objects.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

BYTES = 8 << 20  # of a file that is read as a whole
LINE, LINES = 1 << 20, 1_000_000  # bytes of a line of a .jsonl file, and how many there may be
DEPTH = 100  # lists and mappings inside each other, aliases followed
NODES = 100_000  # values of a YAML document, aliases followed
LOW, HIGH = -(1 << 63), (1 << 64) - 1  # of whole numbers: what 64 bits hold, signed or not
LONGEST = 100  # characters of a number
GREATEST = 1e100  # of fractions in JSON: figures are of float32, and an axis overflows near 1e308
UNFIT = re.compile("[\0\ud800-\udfff]")  # in no name of a file, and not to be printed
_BRACKETS = re.compile(r'["\[\]{}]')
_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)  # matches anywhere, if only nothing


def read_text(path: Path) -> str:
    """The text in `path`, UTF-8 of at most 8 MB."""
    text: str = _parsed(path, str, "text", "write it as UTF-8")
    return text


def read_json(path: Path) -> Any:
    """The JSON in `path`, without NaN and infinity, which JSON has not."""
    return _parsed(path, parse_json, "JSON", "delete it and run again")


def read_yaml(path: Path) -> Any:
    """The YAML in `path`, a file of a run."""
    return _parsed(path, parse_yaml, "YAML", "restore it or remove the run")


def read_json_lines(path: Path, finite: bool = True) -> list[dict[str, Any]]:
    """Every whole line of a .jsonl file; a last line that a crash cut short is left out.

    No file, no lines. finite: refuse NaN and infinity, which a measure may be.
    """
    lines: list[dict[str, Any]] = []
    if not os.path.lexists(path):
        return lines
    with open_regular(path) as file:
        for at in range(1, LINES + 2):
            line = file.readline(LINE + 1)
            if len(line) <= LINE and not line.endswith(b"\n"):
                return lines
            value = _line(line, finite) if at <= LINES else None
            if value is None:
                raise UserError(f"{path}:{at}: damaged; it must be a line of JSON, delete it")
            lines.append(value)
    return lines


def parse_json(text: str, finite: bool = True) -> Any:
    """The value that `text` writes; ValueError, one line, for what is no JSON or beyond the limits.

    finite: refuse NaN and infinity.
    """
    _check_depth(text)
    constant = _fraction if finite else float  # which reads "NaN" and "Infinity"
    value = json.loads(text, parse_int=_whole, parse_float=_fraction, parse_constant=constant)
    _check_texts(value)
    return value


def parse_yaml(text: str) -> Any:
    """The value that `text` writes; ValueError, one line, for what is no YAML, or not of plain
    values, or beyond the limits. Texts that look like dates stay texts."""
    try:
        _check_events(text)
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except LookupError:
        raise ValueError("a value that is not what its tag says") from None  # !!bool maybe
    _check_texts(value)
    return value


def _parsed(path: Path, parse: Callable[[str], Any], kind: str, remedy: str) -> Any:
    with open_regular(path) as file:
        try:
            content = file.read(BYTES + 1)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        if len(content) > BYTES:
            raise ValueError(f"it is larger than {BYTES >> 20} MB")
        return parse(content.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: damaged {kind} ({error}); {remedy}") from None


def _line(line: bytes, finite: bool) -> dict[str, Any] | None:
    """None where it is no object of JSON."""
    try:
        value = parse_json(line.decode("utf-8"), finite) if len(line) <= LINE else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _check_depth(text: str) -> None:
    """ValueError where brackets outside of strings are open that are too many for json.loads."""
    depth, place = 0, 0
    while found := _BRACKETS.search(text, place):
        place = found.end()
        if found.group() == '"':
            string = _STRING.match(text, place)
            place = (string.end() if string else place) + 1
            continue
        depth += 1 if found.group() in "[{" else -1
        if depth > DEPTH:
            raise ValueError(f"nested deeper than {DEPTH}")


def _check_texts(value: Any) -> None:
    """ValueError for a text that cannot be printed or name a file, and for a key that is null."""
    left = [value]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            left += [*node, *node.values()]
            if None in node:
                raise ValueError("a key that is null")
        elif isinstance(node, list):
            left += node
        elif isinstance(node, str) and UNFIT.search(node):
            raise ValueError("a text with a character that is none, such as NUL")


def _check_events(text: str) -> None:
    """ValueError where YAML is too deep or too much, or has an alias to what it stands in."""
    anchors: dict[str | None, tuple[int, int]] = {}  # nodes and levels of what each names
    stack: list[tuple[str | None, int]] = []  # of what is open: its anchor, and the nodes before it
    below = [0]  # levels within each that is open, the document first
    nodes = 0
    for event in yaml.parse(text, _Loader):
        levels = 0
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, nodes))
            below.append(0)
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            (anchor, before), levels = stack.pop(), below.pop() + 1
            anchors[anchor] = nodes - before, levels
        elif isinstance(event, yaml.ScalarEvent):
            anchors[event.anchor] = 1, 0
            nodes += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise ValueError(f"the alias *{event.anchor} stands for nothing, or for itself")
            size, levels = anchors[event.anchor]
            nodes += size
        below[-1] = max(below[-1], levels)
        if len(stack) + levels > DEPTH:
            raise ValueError(f"nested deeper than {DEPTH}")
        if nodes > NODES:
            raise ValueError(f"more than {NODES} values")


def _whole(text: str) -> int:
    number = int(text) if len(text) <= LONGEST else HIGH + 1
    if not LOW <= number <= HIGH:
        raise ValueError("a whole number of more than 64 bits")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not abs(number) <= GREATEST:  # nor NaN
        raise ValueError(f"{text[:LONGEST]} is no number of JSON, or none that a run writes")
    return number


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Makes null, booleans, numbers, texts, lists and mappings, and nothing else."""

    def whole(self, node: Any) -> int:
        number: int = self.construct_yaml_int(self._short(node))
        return _whole(str(number))

    def fraction(self, node: Any) -> float:
        number: float = self.construct_yaml_float(self._short(node))
        return number

    def _short(self, node: Any) -> Any:
        """A number of base 60, 1:59:59, takes time by the square of its length."""
        if len(self.construct_scalar(node)) > LONGEST:
            raise ValueError(f"a number of more than {LONGEST} characters")
        return node


def _tag(kind: str) -> str:
    return f"tag:yaml.org,2002:{kind}"


_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag in (None, *map(_tag, ("null", "bool", "str", "seq", "map")))
} | {_tag("int"): _Loader.whole, _tag("float"): _Loader.fraction}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != _tag("timestamp")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
