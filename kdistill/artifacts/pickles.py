"""What a pickle of torch.save asks for, told from its opcodes before anything is built.

torch.load with weights_only=True runs no code, but it believes the sizes that a pickle names, and
a few hundred bytes of tuples within tuples keep it busy for ever.
"""

import pickletools
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import torch

_EXPANDED = 100  # things that one byte of an honest pickle stands for, far more than any has
_LONGEST, _NAMING = 200, ("GLOBAL", "STACK_GLOBAL", "INST")  # torch searches them in squared time
_PUT, _GET = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
_MARK = object()


class _Item(NamedTuple):
    size: int  # of things in it, those of a shared part counted each time
    value: Any  # a number, a text, a tuple of items; None for what else it may be


def storages(file: IO[bytes]) -> dict[str, int]:
    """Bytes by key of the storages of tensors that the next pickle in `file` names.

    ValueError or LookupError for what is no pickle, and where sharing makes it vast.
    """
    stack: list[Any] = []
    memo: dict[Any, _Item] = {}
    found: dict[str, int] = {}
    for opcode, argument, place in pickletools.genops(file):
        if opcode.name == "MARK":
            stack.append(_MARK)
        elif opcode.name in _PUT:
            memo[argument] = stack[-1]
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif opcode.name in _GET:
            stack.append(memo[argument])
        else:
            taken = list(_popped(stack, opcode))
            size = 1 + sum(item.size for item in taken)
            if size > _EXPANDED * ((place or 0) + 1000):
                raise ValueError("its parts refer to each other too often")
            if opcode.name == "BINPERSID":
                key, numbers = _storage(taken[0].value)
                found[key] = max(numbers, found.get(key, 0))
            value = _value(opcode.name, argument, taken)
            if opcode.name in _NAMING and len(str(value)) > _LONGEST:
                raise ValueError("it names a class of more than 200 characters")
            stack.extend([_Item(size, value)] * len(opcode.stack_after))
    return found


def _popped(stack: list[Any], opcode: pickletools.OpcodeInfo) -> Iterator[_Item]:
    """What `opcode` takes from the stack, in the order in which it was put there."""
    if pickletools.stackslice in opcode.stack_before:
        start = len(stack) - 1 - stack[::-1].index(_MARK)
        below = opcode.stack_before.index(pickletools.markobject)  # a list, say, to be extended
        taken, first = stack[start - below :], start - below
        if start < below:
            raise IndexError("it takes more than it has")
    else:
        first = len(stack) - len(opcode.stack_before)
        taken = stack[first:]
        if first < 0:
            raise IndexError("it takes more than it has")
    del stack[first:]
    return (item for item in taken if item is not _MARK)


def _value(name: str, argument: Any, taken: list[_Item]) -> Any:
    if name.startswith("TUPLE") or name == "EMPTY_TUPLE":
        return tuple(item.value for item in taken)
    if name == "STACK_GLOBAL":
        return f"{taken[0].value} {taken[1].value}"
    return argument if isinstance(argument, (str, int)) else None


def _storage(named: Any) -> tuple[str, int]:
    """(key, bytes) of a persistent id: ("storage", its type, key, device, numbers, ...)."""
    if not (isinstance(named, tuple) and len(named) >= 5 and isinstance(named[4], int)):
        raise ValueError("it refers to what is no storage of a tensor")
    kind = getattr(torch, str(named[1]).rpartition(" ")[2], None)
    dtype = getattr(kind, "dtype", None)  # an untyped storage counts bytes
    return str(named[2]), named[4] * (dtype.itemsize if isinstance(dtype, torch.dtype) else 1)
