"""ask(): what a module says about a batch, as Signals."""

import torch
from torch import nn

from kdistill.data.batch import Batch
from kdistill.signals.signals import Signals


def ask(module: nn.Module, batch: Batch) -> Signals:
    """Logits in float32 (or float64) whatever the precision of the forward pass, for the loss."""
    logits = module(batch.inputs)
    return Signals(logits=logits.to(torch.promote_types(logits.dtype, torch.float32)))
