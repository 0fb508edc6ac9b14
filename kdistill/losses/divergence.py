"""What losses share: how far one distribution over classes is from another, or from a class."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kdistill.data.batch import Batch
from kdistill.losses.loss import averaged, targets_of


def kl_at_temperature(student: Tensor, teacher: Tensor, temperature: Tensor) -> Tensor:
    """KL(p || q) in nats of each sample; p, q = softmax(teacher / T), softmax(student / T).

    student, teacher: logits [batch, *positions, classes]. Returns [batch, *positions]. A class with
    p = 0 adds nothing.
    """
    log_q = torch.log_softmax(student / temperature, dim=-1)
    log_p = torch.log_softmax(teacher / temperature, dim=-1)
    log_p = log_p.clamp_min(torch.finfo(log_p.dtype).min)  # 0 * finite is 0, 0 * infinite is not
    # of logarithms, p (log p - log q): exact where both are close, as at high T
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """-log softmax(logits) of the targets in nats, averaged over what counts.

    logits: [batch, *positions, classes].
    """
    if batch.mask is None:
        return F.cross_entropy(logits.flatten(0, -2), targets_of(batch).flatten())
    return averaged(cross_entropies(logits, batch), batch)


def cross_entropies(logits: Tensor, batch: Batch) -> Tensor:
    """-log softmax(logits) of each target in nats [batch, *positions]; masked ones mean nothing."""
    targets = targets_of(batch)
    if batch.mask is not None:
        targets = torch.where(batch.mask, targets, 0)  # padding need not be a class
    each = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
    return each.view(targets.shape)
