"""Features: what a layer inside of a model makes of a batch.

>>> import torch
>>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
>>> needs = frozenset({Feature("0"), Feature("1")})
>>> found = Feature("1").ask(model, Batch(torch.ones(5, 4)), needs)
>>> sorted((signal.name, [*value.shape]) for signal, value in found.items())
[('0', [5, 3]), ('1', [5, 3]), ('answer', [5, 2])]
"""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.errors import UserError
from kdistill.models.network import inner
from kdistill.signals.signal import ANSWER, Signal

_SHOWN = 12  # layers that a message names


@dataclass(frozen=True)
class Feature(Signal):
    """The output [batch, ...] of the layer `name`, as `named_modules` of the model behind its
    preprocessing calls it: "blocks.2". All features that are needed, and the answer, take one
    pass."""

    rank: ClassVar[int] = 1
    inside: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+(\.\w+)*", self.name):
            raise ValueError(f"a layer is named like blocks.2, got {self.name!r}")

    @property
    def file(self) -> str:
        return f"layer.{self.name}"

    def ask(self, model: nn.Module, batch: Batch, needs: frozenset[Signal]) -> dict[Signal, Tensor]:
        """UserError for a layer that the model lacks or does not use, or that gives no tensor."""
        found: dict[Signal, Tensor] = {}
        with ExitStack() as hooks:
            for need in needs | {self}:
                if isinstance(need, Feature):
                    hooks.enter_context(need.watched(model, found))
            answer = model(batch.inputs)
        for need in needs | {self}:
            if isinstance(need, Feature) and need not in found:
                raise UserError(f"layer {need.name}: the model has it and does not use it")
        return {**found, ANSWER: answer}

    def watched(self, model: nn.Module, found: dict[Signal, Tensor]) -> Any:
        """A context in which the layer's output, of its last call, is put into `found`."""
        layers = dict(inner(model).named_modules())
        if self.name not in layers:
            names = [name for name in layers if name]
            more = ", ..." if len(names) > _SHOWN else ""
            raise UserError(
                f"layer {self.name}: {type(inner(model)).__name__} has none of this name; it has "
                f"{', '.join(names[:_SHOWN]) or 'none at all'}{more}"
            )

        def keep(layer: nn.Module, given: object, output: object) -> None:
            if not isinstance(output, Tensor):
                raise UserError(f"layer {self.name}: it gives a {type(output).__name__}, no tensor")
            found[self] = output

        return layers[self.name].register_forward_hook(keep)
