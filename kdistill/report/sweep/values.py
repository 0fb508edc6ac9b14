"""Values of config keys as text: equal values read the same, however they were written."""

from collections.abc import Mapping
from typing import Any

from kdistill.artifacts.text import parse_yaml


def canonical(value: Any) -> str:
    """`value` (of a config, or a word of the command line) as YAML writes it: 1.0, '1' are 1."""
    return _written(_read(value) if isinstance(value, str) else value)


def _written(value: Any) -> str:
    """`value` as text, and the texts in it as they stand, but for numbers."""
    if isinstance(value, str):
        found = number(value)
        return value if found is None else _number(found)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_written(each)}' for key, each in value.items())}}}"
    return str(value)


def number(text: str) -> float | None:
    """The finite number that `text` stands for; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def value_at(config: Any, key: str) -> Any:
    """What a config holds at a dotted key; '' where it has no such key."""
    for name in key.split("."):
        if isinstance(config, list) and name.isdecimal() and int(name) < len(config):
            config = config[int(name)]
        else:
            config = config.get(name, "") if isinstance(config, Mapping) else ""
    return config


def _read(text: str) -> Any:
    """Numbers as Hydra reads them: YAML takes 1e-3 for a text."""
    found = number(text)
    if found is not None:
        return found
    try:
        return parse_yaml(text) if text else text
    except ValueError:
        return text


def _number(value: int | float) -> str:
    whole = abs(value) < 1e15 and value == int(value)
    return str(int(value)) if whole else repr(value)
