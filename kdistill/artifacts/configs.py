"""The config that a run folder keeps, and in what two configs differ."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdistill.artifacts.text import read_yaml
from kdistill.errors import UserError

ABSENT = "(absent)"
RENAMED = {"measure": "task"}  # groups, by what they were called before
# top-level keys that say how a run is carried out, and not what comes out of it (but precision)
CARRYING_OUT = ("device", "cache", "save_every")
READ = ("weights", "path")  # keys of a teacher that name the file it is read from


def read_config(file: Path) -> dict[str, Any]:
    """config.yaml of a run; UserError when it is missing or damaged."""
    config = read_yaml(file)
    if not isinstance(config, dict):
        raise UserError(f"{file}: damaged; it must hold the config of a run")
    return config


def weights_outside(config: Mapping[str, Any], folder: Path) -> list[str]:
    """Words for the files outside of the run folder that the teacher is read from:
    'teacher.weights=PATH'. The person at the keyboard names them, a run folder does not."""
    teacher, home = config.get("teacher"), folder.resolve()
    if not isinstance(teacher, dict):
        return []
    named = {key: teacher[key] for key in READ if isinstance(teacher.get(key), str)}
    return [
        f"teacher.{key}={path}"
        for key, path in named.items()
        if not Path(path).resolve().is_relative_to(home)
    ]


def resume_command(config: Mapping[str, Any], folder: Path) -> str:
    """What goes on with the run in `folder`, for a shell."""
    return shlex.join(["kdistill", "resume", str(folder), *weights_outside(config, folder)])


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
