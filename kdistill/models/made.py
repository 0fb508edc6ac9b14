"""MADE: a multi-layer perceptron whose masked weights make its outputs conditionals of bits.

    q(x) = prod_d q(x_d | x_<d)        q(x_d = 1 | x_<d) = sigmoid(logit_d)

(Germain et al. 2015, "MADE: masked autoencoder for distribution estimation", arXiv 1502.03509;
in raster order, with one set of masks and no direct connections.)
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdistill.models.nade import log_density_of_bits


class MADE(nn.Module):
    """ReLU layers of `widths`, one or more, over bits of `input_shape`; floats of 0 and 1.

    connectivity_seed draws the masks, which are kept with the weights; those start as torch does.
    """

    def __init__(
        self, widths: Sequence[int], input_shape: Sequence[int], connectivity_seed: int = 0
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise ValueError(f"widths must be one or more numbers >= 1, got {list(widths)}")
        self.input_shape = tuple(input_shape)
        *masks, last = _masks(prod(input_shape), widths, connectivity_seed)
        self.hidden = nn.ModuleList(MaskedLinear(mask) for mask in masks)
        self.output = MaskedLinear(last)

    def forward(self, inputs: Tensor) -> Tensor:
        """log q [batch], in nats, of inputs [batch, *input_shape]."""
        x = inputs.flatten(1).to(self.output.weight)
        with torch.autocast(x.device.type, enabled=False):  # exact means exact
            return log_density_of_bits(self._logits(x)[0], x)

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """log q [batch] and d log q / dx, of the shape of `inputs`, with x as real numbers.

        In closed form, so that both are differentiable by the parameters: logit + W_1' D_1 ...
        W_n' D_n W' (x - sigmoid(logit)), the D_l of active units constant almost everywhere.
        """
        x = inputs.flatten(1).to(self.output.weight)
        with torch.autocast(x.device.type, enabled=False):
            logits, hidden = self._logits(x)
            back = (x - logits.sigmoid()) @ self.output.connected()
            for layer, h in zip(reversed(self._layers()), reversed(hidden), strict=True):
                back = (back * (h > 0)) @ layer.connected()
            return log_density_of_bits(logits, x), (logits + back).view(inputs.shape)

    @torch.no_grad()
    def chances(self, inputs: Tensor) -> Tensor:
        """The chance of a 1 at each place, given the bits before it; as `inputs`."""
        x = inputs.flatten(1).to(self.output.weight)
        return self._logits(x)[0].sigmoid().view(inputs.shape)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` exact draws [count, *input_shape], floats of 0 and 1; one pass for each bit."""
        weight, bias = self.output.connected(), self.output.bias
        first, *middle = [(layer.connected(), layer.bias) for layer in self._layers()]
        x = weight.new_empty(count, len(weight)).uniform_(generator=generator)
        drive = first[1].repeat(count, 1)  # of the first layer, by the bits drawn so far
        for d in range(len(weight)):
            h = drive.relu()
            for each in middle:
                h = F.linear(h, *each).relu_()
            x[:, d] = x[:, d] < (h @ weight[d] + bias[d]).sigmoid()
            drive.addr_(x[:, d], first[0][:, d])
        return x.view(count, *self.input_shape)

    def _layers(self) -> list["MaskedLinear"]:
        return [cast(MaskedLinear, layer) for layer in self.hidden]

    def _logits(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[batch, bits], and the hidden layers they came through."""
        hidden = [x]
        for layer in self.hidden:
            hidden.append(layer(hidden[-1]).relu())
        logits: Tensor = self.output(hidden[-1])
        return logits, hidden[1:]


class MaskedLinear(nn.Linear):
    """A linear layer with the connections of `mask` [after, before] only."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def connected(self) -> Tensor:
        """The weights [after, before], 0 where there is no connection."""
        return self.weight * self.mask

    def forward(self, input: Tensor) -> Tensor:
        """[batch, before] to [batch, after]."""
        return F.linear(input, self.connected(), self.bias)


def _masks(bits: int, widths: Sequence[int], seed: int) -> Iterator[Tensor]:
    """The connections of each layer: a hidden unit of degree m sees the first m bits at most.

    Degrees are uniform on those of the layer before and up to bits - 1 (equations 12 and 13).
    """
    draw = torch.Generator().manual_seed(seed)
    place = torch.arange(1, bits + 1)
    before = place
    for width in widths:
        least = int(before.min())
        after = torch.randint(least, max(bits, least + 1), (width,), generator=draw)
        yield after[:, None] >= before
        before = after
    yield place[:, None] > before
