"""Frozen: a network that only answers, such as a library user's own teacher."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from torch import nn

from kdistill.data.batch import Batch
from kdistill.engine.process import Process
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals
from kdistill.teachers.teacher import Context, Training, ask_frozen, freeze


class Frozen:
    """`network` takes the data's raw inputs and returns logits [batch, classes]."""

    members: Sequence[nn.Module] = ()

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.hash: str | None = None  # its code has no name, so neither have its answers

    def prepare(self, context: Context) -> None:
        self.process: Process = context.process
        # a copy: the user's own keeps its mode, its gradients and its device
        self.network = freeze(deepcopy(self.network)).to(context.process.device)

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        return ask_frozen(self.network, batch, self.process, needs)

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """None: it is what it is."""
        return []

    def reference(self) -> dict[str, object]:
        return {"kind": type(self.network).__name__, "hash": None}
