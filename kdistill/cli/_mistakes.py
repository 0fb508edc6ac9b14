"""What Hydra and OmegaConf find wrong while composing, said in one line."""

from collections.abc import Sequence
from typing import Any

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from kdistill.artifacts.configs import RENAMED
from kdistill.errors import did_you_mean

HEADINGS = ("Error parsing override", "See https://")  # of what the override parser says

NO_OPTION = "Config group override must be a string or a list"


def in_one_line(error: BaseException, overrides: Sequence[str] = ()) -> str:
    """The key that is wrong, what is known near it, and what to do; `overrides`: what was typed."""
    if str(error).startswith(NO_OPTION):
        word = next((word for word in overrides if word.endswith("=null")), "a group")
        return f"{word}: a config group needs the name of an option; see kdistill list"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error.missing_cfg_file, list(error.options or []), str(error))
    if isinstance(error, OverrideParseException):
        lines = [line for line in str(error).splitlines() if not line.startswith(HEADINGS)]
        return f"{error.override}: {_first_line(lines)}; write key=value, quoted for the shell"
    if isinstance(error, ConfigCompositionException) and isinstance(
        error.__cause__, OmegaConfBaseException
    ):
        return _value_mistake(error.__cause__, _first_line(str(error).splitlines()), overrides)
    if isinstance(error, OmegaConfBaseException):
        return _value_mistake(error, "", overrides)
    for name, now in RENAMED.items():
        if f"Could not override '{name}'" in str(error):
            return f"{name}: renamed; use {now}=..."
    return _squeezed(str(error)) or type(error).__name__


def _missing_option(path: str, options: list[str], message: str) -> str:
    group, _, name = path.removesuffix(".yaml").rpartition("/")
    options = [name for name in options if not name.startswith("_")]
    if options:
        near = did_you_mean(name, options)
        return f"{group}={name}: no such option{near} (available: {', '.join(options)})"
    if group:
        return f"{group}={name}: there is no config group {group!r}; see kdistill list"
    return _squeezed(message)


def _value_mistake(error: OmegaConfBaseException, said: str, overrides: Sequence[str]) -> str:
    if isinstance(error, (ConfigAttributeError, ConfigKeyError)):
        return _unknown_key(error, overrides)
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: it needs a value; give it as {error.full_key}=VALUE"
    key = f"{error.full_key}: " if error.full_key else ""
    parts = (_first_line(str(error).splitlines()), said)
    return key + "; ".join(part for part in parts if part)


def _unknown_key(error: ConfigAttributeError | ConfigKeyError, overrides: Sequence[str]) -> str:
    parent, full = error.parent_node, str(error.full_key)
    if (now := RENAMED.get(full.partition(".")[0])) is not None:
        return f"{full.partition('.')[0]}: renamed; use {now}=..."
    typed = any(str(error.key) in word for word in overrides)
    if not typed and any(word.startswith("+experiment=") for word in overrides):
        return (
            f"{full}: the experiment sweeps it, and there is no such key now; to leave its sweep "
            "out: hydra.sweeper.params=null"
        )
    if same := _elsewhere(parent, full):
        return f"{full}: no such key in the config; did you mean {' or '.join(same)}?"
    keys = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    known = [key for key in keys if key != "hydra" and not key.startswith("_")]
    near = did_you_mean(str(error.key), known) or f"; keys there: {', '.join(known)}"
    return f"{error.full_key}: no such key in the config{near} (to add a key: +key=value)"


def _elsewhere(parent: Any, full: str) -> list[str]:
    """Keys, dotted, of the same name as the unknown `full` in `parent`, but deeper there."""
    start, _, name = full.rpartition(".")
    if not isinstance(parent, DictConfig):
        return []
    found = []
    nodes: list[tuple[tuple[str, ...], Any]] = [((start,), OmegaConf.to_container(parent))]
    for path, node in nodes:
        for key, value in node.items() if isinstance(node, dict) else ():
            if key == name:
                found.append(".".join(filter(None, (*path, name))))
            elif key != "hydra":
                nodes.append(((*path, str(key)), value))
    return found


def _first_line(lines: list[str]) -> str:
    return next((line.strip() for line in lines if line.strip()), "")


def _squeezed(message: str) -> str:
    """The lines of a message as one, without Hydra's listing of its search path."""
    for heading in ("Config search path:", "Search path:"):
        message = message.split(heading)[0]
    lines = [" ".join(line.split()).rstrip(".") for line in message.splitlines() if line.strip()]
    return "; ".join(lines)
