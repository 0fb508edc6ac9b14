"""Where a result came from: its settings, data, seed and versions, as text for every output."""

from collections.abc import Iterator
from typing import Any

from kdistill.artifacts.result import Result
from kdistill.report import numbers

Pairs = list[tuple[str, str]]
SIZES = ("train", "validation", "test")


def settings(config: dict[str, Any]) -> Pairs:
    """One line per node of a config that has values: ('loss', 'SoftTargets, temperature 8')."""
    return list(_nodes(config, ""))


def data(result: Result) -> Pairs:
    """Name, source, sizes, fingerprint and note of the data set."""
    stored = result.dataset
    sizes = [
        f"{numbers.whole(stored[part])} {part}"
        for part in SIZES
        if isinstance(stored.get(part), int)
    ]
    rows = [
        ("name", str(stored.get("name", "unknown"))),
        ("source", str(stored.get("source", "unknown"))),
        ("examples", ", ".join(sizes)),
        ("fingerprint", str(stored.get("fingerprint", ""))),
        ("note", str(stored.get("note", ""))),
    ]
    return [(name, value) for name, value in rows if value]


def origin(result: Result) -> Pairs:
    """Seed, hashes and the environment's entries (versions, hardware, commit)."""
    teacher = result.signals.get("teacher")
    rows = [("seed", str(result.seed)), ("config hash", result.config_hash)]
    rows += [("teacher hash", str(teacher))] if teacher else []
    return rows + list(_entries(result.environment, ""))


def _nodes(node: dict[Any, Any], key: str) -> Iterator[tuple[str, str]]:
    own = [
        f"{name} {_text(value)}"
        for name, value in node.items()
        if not str(name).startswith("_") and not _nested(value)  # _target_, _recursive_
    ]
    kind = [str(node["_target_"]).rpartition(".")[2]] if "_target_" in node else []
    if kind or own:
        yield key or "run", ", ".join([*kind, *own])
    for name, value in node.items():
        below = f"{key}.{name}" if key else str(name)
        if isinstance(value, dict):
            yield from _nodes(value, below)
        elif _nested(value):
            for position, item in enumerate(value):
                yield from _nodes(
                    item if isinstance(item, dict) else {"": item}, f"{below}[{position}]"
                )


def _entries(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        heading = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _entries(value, f"{heading} ")
        elif value is not None:
            yield heading, _text(value)


def _nested(value: Any) -> bool:
    """A dict, or a list that holds one."""
    return (
        any(isinstance(item, dict) for item in value)
        if isinstance(value, list)
        else isinstance(value, dict)
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_text(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "null"
    return str(value)
