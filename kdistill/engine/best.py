"""Best: the weights with the lowest validation figure so far, and how many epochs ago they came."""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import Tensor, nn


class Best:
    """Looks at one epoch's validation after the other; `keep` "best" also keeps the weights.

    monitor: the measure it looks at; None: the first there is.
    """

    def __init__(self, monitor: str | None, keep: str) -> None:
        self.monitor, self.keep = monitor, keep
        self.value, self.epoch, self.age = math.inf, 0, 0
        self.weights: dict[str, Tensor] | None = None

    def offer(self, student: nn.Module, measured: Mapping[str, float]) -> None:
        """Look at one epoch's validation; the weights are copied only if they may be kept."""
        self.age += 1
        self.monitor = self.monitor or next(iter(measured), None)
        value = measured[self.monitor] if self.monitor and measured else math.inf
        if value < self.value:
            self.value, self.epoch, self.age = value, self.epoch + self.age, 0
            if self.keep == "best":
                self.weights = deepcopy(student.state_dict())

    def note(self, epochs: int) -> str:
        """One sentence on which weights were kept."""
        if self.value == math.inf:
            return f"{epochs} epochs"
        kept = "kept" if self.keep == "best" else "the last weights kept"
        value = f"best validation {self.monitor} {self.value:g} at {self.epoch}"
        return f"{epochs} epochs; {value}, {kept}"

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training goes on with."""
        return {
            "value": self.value,
            "epoch": self.epoch,
            "age": self.age,
            "weights": self.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        self.value, self.epoch, self.age = state["value"], state["epoch"], state["age"]
        self.weights = state["weights"]
