"""JSON values made into frozen dataclasses, each value held to the kind that is annotated."""

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints


def typed(kind: Any, value: Any, key: str) -> Any:
    """JSON `value` as `kind`, an annotation, dataclasses included; TypeError naming `key`."""
    made, inner = kind, get_args(kind)
    if kind is Any:
        return value
    if isinstance(kind, UnionType):
        return _either([each for each in inner if each is not NoneType], value, key)
    plain = dict if is_dataclass(kind) else get_origin(kind) or kind
    _refuse_other(plain, value, key)
    if is_dataclass(kind):
        return made(**_fields(kind, value, key))
    if plain is dict and inner:
        return {name: typed(inner[1], each, _below(key, name)) for name, each in value.items()}
    if plain is list:
        return [typed(inner[0], each, f"{key}[{place}]") for place, each in enumerate(value)]
    if plain is tuple:
        return tuple(typed(each, one, key) for each, one in zip(inner, value, strict=True))
    return value


def _fields(kind: Any, value: dict[str, Any], key: str) -> dict[str, Any]:
    """The arguments of a dataclass."""
    kinds = get_type_hints(kind)
    for field in fields(kind):
        if field.name not in value and field.default is field.default_factory is MISSING:
            raise TypeError(f"{_below(key, field.name)} is missing")
    for name in value:
        if name not in kinds:
            raise TypeError(f"{_below(key, name)} is not known")
    return {name: typed(kinds[name], each, _below(key, name)) for name, each in value.items()}


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _either(kinds: list[Any], value: Any, key: str) -> Any:
    """Of one kind, or None; of several, as JSON has it."""
    if value is None or len(kinds) == 1:
        return None if value is None else typed(kinds[0], value, key)
    if type(value) not in kinds:
        raise TypeError(f"{key} is {type(value).__name__}")
    return value


def _refuse_other(plain: Any, value: Any, key: str) -> None:
    """JSON writes tuples as lists, and a whole number may stand for a float; True is no number."""
    accepted = {float: (int, float), tuple: (list,)}.get(plain, (plain,))
    if not isinstance(value, accepted) or (isinstance(value, bool) and plain is not bool):
        raise TypeError(f"{key or 'it'} is {type(value).__name__}, not {plain.__name__}")
