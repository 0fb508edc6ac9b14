"""ask(): what a module says about a batch, as Signals."""

from torch import nn

from kdistill.data.batch import Batch
from kdistill.signals.signals import Signals


def ask(module: nn.Module, batch: Batch) -> Signals:
    """Logits in float32 whatever the precision of the forward pass, so that losses are exact."""
    return Signals(logits=module(batch.inputs).float())
