"""The Kullback-Leibler divergence between softened distributions, shared by the losses."""

import torch
from torch import Tensor
from torch.nn import functional as F


def kl_at_temperature(student: Tensor, teacher: Tensor, temperature: Tensor) -> Tensor:
    """KL(p || q) in nats of each sample; p, q = softmax(teacher / T), softmax(student / T).

    student, teacher: logits [batch, classes]. Returns [batch]. A class with p = 0 adds nothing.
    """
    log_q = torch.log_softmax(student / temperature, dim=1)
    log_p = torch.log_softmax(teacher / temperature, dim=1)
    log_p = log_p.clamp_min(torch.finfo(log_p.dtype).min)  # 0 * finite is 0, 0 * infinite is not
    # of logarithms, p (log p - log q): exact where both are close, as at high T
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
