"""The Kullback-Leibler divergence between softened distributions, shared by the losses."""

import torch
from torch import Tensor


def kl_at_temperature(student: Tensor, teacher: Tensor, temperature: Tensor) -> Tensor:
    """KL(p || q) in nats of each sample; p, q = softmax(teacher / T), softmax(student / T).

    student, teacher: logits [batch, classes]. Returns [batch]. A class with p = 0 adds nothing.
    """
    log_q = torch.log_softmax(student / temperature, dim=1)
    log_p = torch.log_softmax(teacher / temperature, dim=1)
    p = log_p.exp()
    # log p - log q, not cross-entropy less entropy: exact where both are close, as at high T
    return torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=1)
