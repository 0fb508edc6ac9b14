"""ask(): what a module answers about a batch, as Signals."""

from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.signals.signal import ANSWER, Signal, wide
from kdistill.signals.signals import Signals


def ask(module: nn.Module, batch: Batch, needs: frozenset[Signal] = frozenset({ANSWER})) -> Signals:
    """At least the signals that `needs` names, in float32 (or float64) whatever the forward pass
    is in."""
    found: dict[Signal, Tensor] = {}
    for need in sorted(needs, key=lambda signal: (-signal.rank, signal.name)):
        if need not in found:
            found |= need.ask(module, batch, needs)
    return Signals({signal: wide(value) for signal, value in found.items()})
