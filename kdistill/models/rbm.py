"""Restricted Boltzmann machine over bits: an unnormalised density, sampled by block Gibbs.

    log p~(x) = a.x + sum_j softplus(b_j + x.W_j)        p(x) = p~(x) / Z

(Smolensky 1986; Hinton 2002, "Training products of experts").
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

ENUMERABLE = 20  # units of the smaller side that log_partition goes through, a million states
_BLOCK = 4096  # states at once: 25 MB of float64 beside 784 units


class RBM(nn.Module):
    """`hidden` >= 1 logistic units over bits of `input_shape`; biases 0, weights N(0, 0.01^2).

    Those are the initial values of Hinton 2010, "A practical guide to training RBMs", section 8.
    Inputs are floats of 0 and 1, of the dtype of the weights.
    """

    def __init__(self, hidden: int, input_shape: Sequence[int]) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be >= 1, got {hidden}")
        self.input_shape = tuple(input_shape)
        visible = prod(input_shape)
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def forward(self, inputs: Tensor) -> Tensor:
        """log p~ [batch], the negative free energy, of inputs [batch, *input_shape], in nats."""
        return self._log_density(inputs.flatten(1))[0]

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """log p~ [batch] and d log p~ / dx = a + W sigmoid(b + xW), of the shape of `inputs`.

        In closed form, of log p~ as a function of real x; both can be differentiated further.
        """
        value, drive = self._log_density(inputs.flatten(1))
        with torch.autocast(inputs.device.type, enabled=False):
            slope = self.visible_bias + drive.sigmoid() @ self.weight.T
        return value, slope.view_as(inputs)

    def _log_density(self, visible: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(visible.device.type, enabled=False):  # log Z is a matter of digits
            drive = torch.addmm(self.hidden_bias, visible, self.weight)
            # beyond the threshold softplus is the drive: exp(-40) is nothing in float64 either
            return visible @ self.visible_bias + softplus(drive, threshold=40).sum(dim=1), drive

    @torch.no_grad()
    def gibbs(self, inputs: Tensor, generator: torch.Generator, sweeps: int = 1) -> Tensor:
        """New states of chains at `inputs` [chains, ...], after `sweeps` >= 0 of block Gibbs.

        A sweep draws all of h given x, then all of x given h. `inputs` are left as they are.
        """
        state = inputs.flatten(1).clone()
        hidden = state.new_empty(len(state), len(self.hidden_bias))
        chances = torch.empty_like(hidden), torch.empty_like(state)
        for _ in range(sweeps):
            torch.addmm(self.hidden_bias, state, self.weight, out=chances[0])
            draw_bits(chances[0], hidden, generator)
            torch.addmm(self.visible_bias, hidden, self.weight.T, out=chances[1])
            draw_bits(chances[1], state, generator)
        return state.view_as(inputs)

    @torch.no_grad()
    def log_partition(self) -> float:
        """log Z in nats, exact, in float64, over all states of the smaller side.

        ValueError where both sides have more than 20 units; 20 beside 784 take about 12 s of CPU.
        """
        visible, hidden = self.weight.shape
        if min(visible, hidden) > ENUMERABLE:
            raise ValueError(
                f"log Z can be enumerated with at most {ENUMERABLE} units on one side, "
                f"this RBM has {visible} visible and {hidden} hidden ones"
            )
        whole = (self.weight, self.visible_bias, self.hidden_bias)
        weight, own, other = (each.cpu().double() for each in whole)  # not every device has it
        if hidden < visible:
            weight, own, other = weight.T, other, own
        blocks = []
        for start in range(0, 2 ** len(own), _BLOCK):
            bits = _bits(start, min(start + _BLOCK, 2 ** len(own)), len(own)).to(weight)
            drive = torch.addmm(other, bits, weight)
            log_density = bits @ own + softplus(drive, threshold=40).sum(dim=1)
            blocks.append(log_density.logsumexp(dim=0))
        return float(torch.stack(blocks).logsumexp(dim=0))


def draw_bits(drive: Tensor, bits: Tensor, generator: torch.Generator) -> None:
    """Set `bits` to 1 with chance sigmoid(drive), else 0, in place; `drive` is overwritten."""
    drive.sigmoid_()
    bits.uniform_(generator=generator)
    torch.lt(bits, drive, out=bits)


def _bits(start: int, end: int, units: int) -> Tensor:
    """The numbers start..end - 1 as bits [end - start, units], int64."""
    return torch.arange(start, end)[:, None] >> torch.arange(units) & 1
