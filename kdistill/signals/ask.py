"""ask(): what a module says about a batch, as Signals."""

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.tree import single
from kdistill.signals.derivatives import input_gradients, projected, slopes
from kdistill.signals.signals import Signals

LOGITS = frozenset({"logits"})


def ask(module: nn.Module, batch: Batch, needs: frozenset[str] = LOGITS) -> Signals:
    """Logits, or the log-density, and what else is needed, in float32 (or float64) whatever the
    forward pass is in."""
    if "score" in needs:
        density, score = module.score(batch.inputs)  # type: ignore[operator]
        return Signals(log_density=_wide(density), score=_wide(score))
    if "log_density" in needs:
        return Signals(log_density=_wide(module(batch.inputs)))
    gradients = along = None
    if "input_gradients" in needs:
        logits, gradients = input_gradients(module, single(batch.inputs))
        along = projected(gradients, _key(batch)) if "slopes" in needs else None
    elif "slopes" in needs:
        logits, along = slopes(module, single(batch.inputs), _key(batch))
    else:
        logits = module(batch.inputs)
    return Signals(*(None if said is None else _wide(said) for said in (logits, gradients, along)))


def _key(batch: Batch) -> Tensor:
    if batch.key is None:
        raise TypeError("directions are drawn from the samples' keys, and the batch has none")
    return batch.key


def _wide(said: Tensor) -> Tensor:
    return said.to(torch.promote_types(said.dtype, torch.float32))
