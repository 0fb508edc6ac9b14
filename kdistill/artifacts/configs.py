"""The config that a run folder keeps, and in what two configs differ."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdistill.artifacts.text import read_yaml
from kdistill.errors import UserError

ABSENT = "(absent)"
# top-level keys that say how a run is carried out, and not what comes out of it (but precision)
CARRYING_OUT = ("device", "cache", "save_every")


def read_config(file: Path) -> dict[str, Any]:
    """config.yaml of a run; UserError when it is missing or damaged."""
    config = read_yaml(file)
    if not isinstance(config, dict):
        raise UserError(f"{file}: damaged; it must hold the config of a run")
    return config


def differences(one: Any, other: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, value in `one`, value in `other`) of each leaf that differs, in order."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in {**one, **other}:
            below = f"{key}.{name}" if key else str(name)
            yield from differences(one.get(name, ABSENT), other.get(name, ABSENT), below)
    elif one != other:
        yield key, one, other


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """'key: value there, value here' of the first that changes what comes out; '' if none does."""
    for key, there, here in differences(one, other):
        if there == ABSENT and here is None:  # what an older kdistill had no key for
            continue
        if key == "device.precision" or key.split(".")[0] not in CARRYING_OUT:
            return f"{key} is {there} there, {here} here"
    return ""
