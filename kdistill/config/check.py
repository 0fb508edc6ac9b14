"""check(): binds every `_target_` of a config to its signature, before data are touched."""

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import Parameter
from pathlib import Path
from types import NoneType
from typing import Any

from torch import nn

from kdistill.artifacts.configs import RENAMED
from kdistill.config.build import OFFERED, SPECIAL, dotted, parameters_of, resolve, targets
from kdistill.config.kinds import fits, in_words
from kdistill.errors import UserError, did_you_mean

# what the pipeline hands to a constructor besides OFFERED, or takes out before it builds
HANDED = ("params", "optimizer")
RESERVED = ("preprocessing",)
# what a run reads at the top of its config
GROUPS = ("dataset", "transfer", "teacher", "student", "loss", "fit", "task", "device")
KEYS = (*GROUPS, "experiment", "name", "seed", "baseline", "cache", "save_every", "repair")
TOP = {"name": str, "seed": int, "baseline": bool, "cache": bool}  # those that are no groups
# the group whose options stand at a key of this name
OPTIONS = {"model": "student", "loss": "loss", "fit": "fit", "source": "dataset"}
VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check(config: Any) -> None:
    """Raise UserError naming the dotted key when a target is unknown or its keys do not fit it.

    Keys of the user's own at the top may serve ${...}, but not look like a slip: +experimen=mine.
    """
    _refuse_renamed(config)
    for name in config:
        if name not in KEYS and (slip := get_close_matches(str(name), KEYS, n=1, cutoff=0.8)):
            raise UserError(f"{name}: nothing reads this key; did you mean {slip[0]}?")
    if config.get("name") == "":
        raise UserError("name: must not be empty; runs/<name> is the folder of the run")
    for name in (*GROUPS, *TOP):
        if name not in config:
            raise UserError(f"{name}: missing from the config, and a run needs it")
        if name in GROUPS and not isinstance(config[name], dict | NoneType):
            raise UserError(f"{name}: must be a config of keys and values, got {config[name]!r}")
    _refuse_mixed_keys("", config)
    check_targets(config)
    for name, kind in TOP.items():
        _refuse_kind(name, config[name], kind)


def check_targets(config: Any, place: str = "") -> None:
    """The same for every target in `config`, a part of a whole that stands at `place` there."""
    found = [
        (key, node, resolve(node["_target_"], dotted(key, "_target_")))
        for key, node in targets(config, place)
    ]
    for key, node, target in found:
        bare = getattr(target, "__init__", None) is nn.Module.__init__  # which refuses anything
        parameters = {} if bare else parameters_of(target)
        if not (parameters or bare):
            continue
        given = [name for name in node if name not in SPECIAL]
        _refuse_unknown(key, given, node["_target_"], parameters)
        for name in given:
            if name in parameters and not _left_open(node[name], parameters[name]):
                _refuse_kind(dotted(key, name), node[name], parameters[name].annotation)
        if not node.get("_partial_"):
            _refuse_missing(key, node, parameters)


def _refuse_mixed_keys(key: str, node: Any) -> None:
    """Keys that cannot be sorted, so that the config could not be named."""
    inner = node.items() if isinstance(node, dict) else ()
    for name, value in inner:
        if isinstance(name, str) != isinstance(next(iter(node)), str):
            raise UserError(
                f"{dotted(key, name)}: texts and numbers are mixed among the keys there; quote them"
            )
        _refuse_mixed_keys(dotted(key, name), value)
    for place, value in enumerate(node if isinstance(node, list) else ()):
        _refuse_mixed_keys(f"{key}[{place}]", value)


def check_kept(config: Mapping[str, Any], file: Path) -> None:
    """UserError naming `file`, config.yaml of a run, where it lacks what every run has."""
    if not config:
        raise UserError(f"{file}: empty, as kdistill.distill leaves it; go on by the same call")
    _refuse_renamed(config)
    for name in GROUPS:
        if name not in config:
            raise UserError(
                f"{file}: damaged: {name} is missing, perhaps it was cut short; restore it or "
                "remove the run"
            )
    if not isinstance(config["device"], dict):
        raise UserError(f"{file}: damaged: device must be a config of keys and values; restore it")


def _refuse_renamed(config: Mapping[str, Any]) -> None:
    for name, now in RENAMED.items():
        if name in config:
            raise UserError(f"{name}: renamed; use {now}=...")


def _refuse_unknown(
    key: str, given: list[str], target: str, parameters: Mapping[str, Parameter]
) -> None:
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name, parameter in parameters.items() if parameter.kind not in VARIABLE]
    for name in given:
        if name not in known and name not in RESERVED:
            place = dotted(key, name)
            hint = did_you_mean(str(name), known) or f"; it has {', '.join(known) or 'none'}"
            drop = "" if "[" in place else f" (to drop it: ~{place})"
            raise UserError(f"{place}: {target} has no parameter {name!r}{hint}{drop}")


def _left_open(value: Any, parameter: Parameter) -> bool:
    """null where the pipeline offers a value, or where it is the default however annotated."""
    return value is None and (parameter.name in OFFERED or parameter.default is None)


def _refuse_kind(key: str, value: Any, annotation: Any) -> None:
    """Where a parameter wants a kind of value, refuse another; a range is its own to test."""
    if not fits(value, annotation):
        group, name = OPTIONS.get(key.rpartition(".")[2]), isinstance(value, str)
        if isinstance(value, dict) and "_target_" in value:
            value = value["_target_"]
        option = f"; to take an option: {group}@{key}={value}" if group and name else ""
        raise UserError(f"{key}: must be {in_words(annotation)}, got {value!r}{option}")


def _refuse_missing(key: str, node: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> None:
    positional = len(node.get("_args_", ()))
    for place, (name, parameter) in enumerate(parameters.items()):
        optional = parameter.default is not Parameter.empty or parameter.kind in VARIABLE
        if optional or place < positional or name in node or name in OFFERED + HANDED:
            continue
        raise UserError(f"{dotted(key, name)}: {node['_target_']} needs a value for it")
