"""HalfStream: half of every batch from some examples, half from the rest (Hinton et al. 2015, 5.2).

A specialist sees its own classes as often as all others together, however rare they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdistill.data.augmentation import Augmentation
from kdistill.data.batch import Examples
from kdistill.data.randomness import purpose_of, sample_keys
from kdistill.data.streams import EpochStream, Order


class HalfStream(EpochStream):
    """`own` [n] bool says which examples make one half; the others make the other.

    An epoch holds as many of each as the smaller half has, in turns, so that it shows all of the
    smaller half once, and of the larger half a part drawn anew. Which, and in which order, depends
    on (seed, epoch) alone. ValueError where a half is empty.
    """

    def __init__(
        self,
        examples: Examples,
        own: Tensor,
        batch_size: int,
        seed: int,
        device: torch.device,
        augmentation: Sequence[Augmentation] = (),
    ) -> None:
        super().__init__(examples, batch_size, seed, device, augmentation)
        own = own.cpu()
        smaller = min(int(own.sum()), int((~own).sum()))
        if smaller == 0:
            raise ValueError("both halves need examples, and one has none")
        self._order = _Halves(2 * smaller, batch_size, seed, shuffle=True, own=own)


@dataclass(frozen=True, kw_only=True)
class _Halves(Order):
    """The order of every epoch; `count` is that of an epoch, not of the examples."""

    own: Tensor

    def rows(self, epoch: int) -> Tensor:
        """[count] int64: one of the own examples, one of the rest, and so on."""
        return halves(self.own, self.seed, epoch).flatten()


def halves(own: Tensor, seed: int, epoch: int = 0) -> Tensor:
    """Rows [smaller half, 2] int64 drawn without replacement: where `own`, and where not."""
    key = sample_keys(seed, epoch, torch.arange(len(own)), purpose_of("halves"))
    lots = key.argsort(stable=True)
    mine, rest = lots[own[lots]], lots[~own[lots]]
    smaller = min(len(mine), len(rest))
    return torch.stack([mine[:smaller], rest[:smaller]], dim=1)
