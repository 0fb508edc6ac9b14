"""What some models can do beyond answering; who needs it asks by these protocols, by no class.

>>> isinstance(torch.nn.Linear(2, 2), Samples)
False
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

SWEEP = 2  # of block Gibbs: as many times the arithmetic of a log-density


@runtime_checkable
class Samples(Protocol):
    """A density that has exact samples."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Floats of 0 and 1 [count, *input]."""
        ...


@runtime_checkable
class Chain(Protocol):
    """A density that is sampled by a Markov chain."""

    def gibbs(self, inputs: Tensor, generator: torch.Generator, sweeps: int) -> Tensor:
        """The states [chains, *input] of chains that were at `inputs`, `sweeps` >= 0 later."""
        ...


@runtime_checkable
class Unnormalised(Protocol):
    """A density whose answers are log p(x) + log Z."""

    def log_partition(self) -> float:
        """log Z in nats, exact; ValueError where it cannot be enumerated."""
        ...


@runtime_checkable
class Chances(Protocol):
    """A density of bits in an order."""

    def chances(self, inputs: Tensor) -> Tensor:
        """The chance of a 1 at each place, given the bits before it; as `inputs`."""
        ...
