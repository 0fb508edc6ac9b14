"""Bounded: a constructor that asks for more memory than there is, or than its weights can fill."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from kdistill.artifacts.memory import free_memory
from kdistill.errors import UserError

_MAKERS = frozenset([torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn])
_NUMBER = 4  # bytes of a float32
_MASKS = 10  # times its weights that a model may take: masks and tables are none of them
_SMALL = 256 << 20  # bytes that no model is refused for


class Bounded(TorchFunctionMode):
    """While it is entered, torch makes no tensors of more than the free memory together.

    weights: what is to be loaded; then no more than ten times as much either (or 256 MB). `name`
    opens the UserError, which is raised before the tensor is made.
    """

    def __init__(self, name: str, weights: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        left = free_memory()
        self._most, self._name, self._asked = left, name, 0
        self._why = f"the {left / 1e9:.1f} GB of memory that are free"
        if weights is not None:
            held = sum(each.numel() * each.element_size() for each in weights.values())
            fitting = max(_MASKS * held, _SMALL)
            if fitting < self._most:
                self._most, self._why = fitting, f"its {held / 1e6:.1f} MB of weights can fill"

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS:
            self._asked += _NUMBER * _numbers(args, kwargs)
            if self._asked > self._most:
                raise UserError(
                    f"{self._name} takes {self._asked / 1e9:.1f} GB or more, which is more than "
                    f"{self._why}; give smaller sizes"
                )
        return func(*args, **kwargs)


def _numbers(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many numbers a call such as torch.zeros(2, 3) or torch.full((2, 3), 1) asks for."""
    size = kwargs.get("size", args[0] if args and isinstance(args[0], (tuple, list)) else args)
    return prod(each for each in size if isinstance(each, int))
