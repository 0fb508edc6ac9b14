"""check(): binds every `_target_` of a config to its signature, before data are touched."""

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import Parameter
from types import UnionType
from typing import Any, Union, get_args, get_origin

from kdistill.config.build import OFFERED, SPECIAL, dotted, parameters_of, resolve, targets
from kdistill.errors import UserError, did_you_mean

# what the pipeline hands to a constructor besides OFFERED, or takes out before it builds
HANDED = ("params", "optimizer")
RESERVED = ("preprocessing",)
# what a run reads at the top of its config
GROUPS = ("dataset", "transfer", "teacher", "student", "loss", "fit", "measure", "device")
KEYS = (*GROUPS, "experiment", "name", "seed", "baseline", "cache")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check(config: Any) -> None:
    """Raise UserError naming the dotted key when a target is unknown or its keys do not fit it.

    Keys of the user's own at the top may serve ${...}, but not look like a slip: +experimen=mine.
    """
    for name in config:
        if name not in KEYS and (slip := get_close_matches(name, KEYS, n=1, cutoff=0.8)):
            raise UserError(f"{name}: nothing reads this key; did you mean {slip[0]}?")
    for key, node in targets(config):
        target = resolve(node["_target_"], dotted(key, "_target_"))
        parameters = parameters_of(target)
        if not parameters:
            continue
        given = [name for name in node if name not in SPECIAL]
        _refuse_unknown(key, given, node["_target_"], parameters)
        for name in given:
            if name in parameters:
                _refuse_kind(dotted(key, name), node[name], parameters[name].annotation)
        if not node.get("_partial_"):
            _refuse_missing(key, node, parameters)


def _refuse_unknown(
    key: str, given: list[str], target: str, parameters: Mapping[str, Parameter]
) -> None:
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name, parameter in parameters.items() if parameter.kind not in VARIABLE]
    for name in given:
        if name not in known and name not in RESERVED:
            hint = did_you_mean(name, known) or f"; it has {', '.join(known) or 'none'}"
            raise UserError(f"{dotted(key, name)}: {target} has no parameter {name!r}{hint}")


def _refuse_kind(key: str, value: Any, annotation: Any) -> None:
    """Where a parameter wants a plain kind of value, refuse another; a range is its own to test."""
    either = get_origin(annotation) in (Union, UnionType)
    wanted = set(get_args(annotation) if either else [annotation]) - {type(None)}
    if value is None or isinstance(value, dict) or not wanted <= KINDS.keys():
        return
    fits = wanted | {int} if float in wanted else wanted
    if type(value) not in fits:
        kinds = " or ".join(words for kind, words in KINDS.items() if kind in wanted)
        raise UserError(f"{key}: must be {kinds}, got {value!r}")


def _refuse_missing(key: str, node: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> None:
    positional = len(node.get("_args_", ()))
    for place, (name, parameter) in enumerate(parameters.items()):
        optional = parameter.default is not Parameter.empty or parameter.kind in VARIABLE
        if optional or place < positional or name in node or name in OFFERED + HANDED:
            continue
        raise UserError(f"{dotted(key, name)}: {node['_target_']} needs a value for it")
