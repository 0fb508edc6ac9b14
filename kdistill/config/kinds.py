"""Which values of a config may stand where a parameter is annotated, and how that is said."""

from collections.abc import Mapping, Sequence
from enum import Enum
from inspect import Parameter
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kdistill.config.build import resolve
from kdistill.config.roles import called, plays

ONE = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}
MANY = {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}
LISTS = (list, tuple, Sequence)
CONFIGS = (dict, Mapping)


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value`, of a plain config, may be given to a parameter annotated so.

    A `_target_` fits where its class does, and where it stays a config; what functions and partial
    calls give, nobody knows before. What is annotated by other classes is theirs to test.
    """
    if isinstance(value, dict) and "_target_" in value:
        made = resolve(value["_target_"])
        unknown = not isinstance(made, type) or value.get("_partial_")
        return bool(unknown) or any(_becomes(made, each) for each in _members(annotation))
    return any(_fits_one(value, each) for each in _alternatives(annotation))


def in_words(annotation: Any) -> str:
    """What would fit: 'a whole number or null', 'a list of numbers'."""
    return " or ".join(_words(each) for each in _alternatives(annotation))


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union. Beside a plain kind, other classes are left out: in `float | Tensor`
    no config can hold the Tensor."""
    either = _members(annotation)
    if not any(_known(each, MANY) for each in either):
        return either
    return [each for each in either if _known(each, ONE) or get_origin(each) or each is Any]


def _members(annotation: Any) -> list[Any]:
    """Those of a union; another annotation itself."""
    union = get_origin(annotation) in (Union, UnionType)
    return list(get_args(annotation)) if union else [annotation]


def _becomes(made: type, kind: Any) -> bool:
    """Whether an object of `made`, or the config of one, may stand where `kind` is annotated."""
    role = get_origin(kind) or kind
    if role in (*CONFIGS, Any, Parameter.empty) or not isinstance(role, type):
        return role is not Literal
    return plays(made, role)


def _known(kind: Any, words: Mapping[type, str]) -> bool:
    return (
        isinstance(kind, type) and kind in words
    )  # an annotation may be anything, also unhashable


def _fits_one(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if _known(kind, ONE):
        return type(value) is kind or (kind is float and type(value) is int)
    if origin is Literal:
        return value in inner
    if origin in CONFIGS:
        return isinstance(value, dict)
    if origin not in LISTS:
        return True
    if not isinstance(value, (list, tuple)):
        return False
    if origin is tuple or not inner:
        return True
    if _object(inner[0]):
        return all(isinstance(each, dict) and fits(each, inner[0]) for each in value)
    return all(fits(each, inner[0]) for each in value)


def _object(kind: Any) -> bool:
    """Whether it is a class of objects that only a config makes, and no plain value."""
    plain = (*ONE, *LISTS, dict, PurePath, Enum, complex, object)
    own = isinstance(kind, type) and get_origin(kind) is None
    return own and kind not in plain and not issubclass(kind, (PurePath, Enum))


def _words(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if _known(kind, ONE):
        return ONE[kind]
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin in CONFIGS:
        return "a config of keys and values"
    if _object(kind):
        return called(kind)
    if origin not in LISTS:
        return "anything"
    if not inner:
        return "a list"
    if _object(inner[0]) or get_origin(inner[0]) in CONFIGS:
        each = called(inner[0]) if _object(inner[0]) else "{_target_: ...}"
        return f"a list of configs, {each} each"
    items = [MANY[each] for each in _alternatives(inner[0]) if _known(each, MANY)]
    return f"a list of {' or '.join(items)}" if items else "a list"
