"""NADE: a distribution over bits as a product of conditionals with shared weights.

    q(x) = prod_d q(x_d | x_<d)        q(x_d = 1 | x_<d) = sigmoid(b_d + U_d . h_d)
    h_d = act(c + sum_{k<d} x_k W_k)

(Larochelle & Murray 2011, "The neural autoregressive distribution estimator", with weights W and U
of their own.)
"""

from collections.abc import Sequence
from math import prod, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdistill.models.nade_kernel import ACTIVATIONS, logits, logits_and_slopes

ORDERS = ("raster", "random")


class NADE(nn.Module):
    """`hidden` >= 1 units over bits of `input_shape`; inputs are floats of 0 and 1.

    units: logistic | relu; order: in which the bits are visited, raster | random (drawn from
    order_seed, and kept with the weights). encoder W and decoder U [bits, hidden] have their rows
    in that order. W and c start as N(0, 1 / bits), U and b as N(0, 1 / (hidden + 1)).
    """

    order: Tensor  # [bits], int64

    def __init__(
        self,
        hidden: int,
        input_shape: Sequence[int],
        units: str = "logistic",
        order: str = "raster",
        order_seed: int = 0,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be >= 1, got {hidden}")
        if units not in ACTIVATIONS:
            raise ValueError(f"units must be logistic or relu, got {units}")
        if order not in ORDERS:
            raise ValueError(f"order must be raster or random, got {order}")
        self.input_shape, self.units = tuple(input_shape), units
        bits = prod(input_shape)
        draw = torch.Generator().manual_seed(order_seed)
        visited = torch.randperm(bits, generator=draw) if order == "random" else torch.arange(bits)
        self.register_buffer("order", visited)
        self.encoder = nn.Parameter(torch.randn(bits, hidden) / sqrt(bits))
        self.hidden_bias = nn.Parameter(torch.randn(hidden) / sqrt(bits))
        self.decoder = nn.Parameter(torch.randn(bits, hidden) / sqrt(hidden + 1))
        self.visible_bias = nn.Parameter(torch.randn(bits) / sqrt(hidden + 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """log q [batch], in nats, of inputs [batch, *input_shape].

        Differentiable by the parameters; TypeError for inputs that require gradients (see `score`).
        """
        x = self._visited(inputs)
        with torch.autocast(x.device.type, enabled=False):  # exact means exact
            said = logits(x, self.encoder, self.hidden_bias, self.decoder, self.units)
            return log_density_of_bits(said + self.visible_bias, x)

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """log q [batch] and d log q / dx, of the shape of `inputs`, with x as real numbers.

        Both are differentiable by the parameters; a step through them takes six to eight times as
        long as one through `forward`.
        """
        x = self._visited(inputs)
        parameters = self.encoder, self.hidden_bias, self.decoder, self.visible_bias
        with torch.autocast(x.device.type, enabled=False):
            said, slopes = logits_and_slopes(x, *parameters, self.units)
            value = log_density_of_bits(said, x)
        return value, slopes[:, self.order.argsort()].view(inputs.shape)

    @torch.no_grad()
    def chances(self, inputs: Tensor) -> Tensor:
        """The chance of a 1 at each place, given the bits visited before it; as `inputs`."""
        x = self._visited(inputs)
        said = logits(x, self.encoder, self.hidden_bias, self.decoder, self.units)
        grey = (said + self.visible_bias).sigmoid()
        return grey[:, self.order.argsort()].view(inputs.shape)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` exact draws [count, *input_shape], floats of 0 and 1."""
        act = ACTIVATIONS[self.units]
        x = self.encoder.new_empty(len(self.order), count).uniform_(generator=generator)
        drive = self.hidden_bias.repeat(count, 1)
        hidden = act(drive)
        for x_d, w, u, b in zip(x, self.encoder, self.decoder, self.visible_bias, strict=True):
            torch.lt(x_d, torch.addmv(b, hidden, u).sigmoid_(), out=x_d)
            ones = x_d.nonzero().squeeze(1)  # only theirs is a new hidden layer
            changed = drive.index_select(0, ones).add_(w)
            drive.index_copy_(0, ones, changed)
            hidden.index_copy_(0, ones, act(changed))
        return x[self.order.argsort()].T.reshape(count, *self.input_shape).contiguous()

    def _visited(self, inputs: Tensor) -> Tensor:
        if inputs.requires_grad:
            raise TypeError("NADE gives derivatives with respect to its inputs by score() only")
        return inputs.flatten(1)[:, self.order].to(self.encoder)


def log_density_of_bits(logits: Tensor, x: Tensor) -> Tensor:
    """sum_d x_d logit_d - log(1 + exp(logit_d)) [batch]."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
