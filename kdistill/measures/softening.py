"""Softening: how much uncertainty a temperature puts into a distribution."""

import math

import torch
from torch import Tensor

# the least float32, which a stored probability of 0 stands for: softened, it is no longer nothing
LEAST = 1e-45


def logarithms(probabilities: Tensor) -> Tensor:
    """log p in float64, finite also where p was too small to store."""
    return probabilities.double().clamp(min=LEAST).log()


def softened(probabilities: Tensor, temperature: float) -> Tensor:
    """softmax(log p / T) [n, classes] in float64: the distribution at T > 0 of one known at T = 1.

    The same as softmax(z / T) of its logits z (Hinton et al. 2015, equation 1).
    """
    return (logarithms(probabilities) / temperature).softmax(1)


def entropy(probabilities: Tensor) -> Tensor:
    """-sum p log2 p of each row, [n] in bits: 0 for certainty, log2(classes) at the most."""
    nats: Tensor = torch.special.entr(probabilities.double()).sum(1)
    return nats / math.log(2)
