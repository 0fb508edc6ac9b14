"""Which values of a config may stand where a parameter is annotated, and how that is said."""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

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

    A `_target_` may become anything, and what is annotated by other classes is theirs to test.
    """
    if isinstance(value, dict) and "_target_" in value:
        return True
    return any(_fits_one(value, each) for each in _alternatives(annotation))


def in_words(annotation: Any) -> str:
    """What would fit: 'a whole number or null', 'a list of numbers'."""
    return " or ".join(_words(each) for each in _alternatives(annotation))


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union. Beside a plain kind, other classes are left out: in `float | Tensor`
    no config can hold the Tensor."""
    either = [annotation]
    if get_origin(annotation) in (Union, UnionType):
        either = list(get_args(annotation))
    if not any(_known(each, MANY) for each in either):
        return either
    return [each for each in either if _known(each, ONE) or get_origin(each) or each is Any]


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
        return all(isinstance(each, dict) for each in value)
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
    if origin not in LISTS:
        return "anything"
    if not inner:
        return "a list"
    if _object(inner[0]) or get_origin(inner[0]) in CONFIGS:
        return "a list of configs, {_target_: ...} each"
    items = [MANY[each] for each in _alternatives(inner[0]) if _known(each, MANY)]
    return f"a list of {' or '.join(items)}" if items else "a list"
