"""A multi-layer perceptron with ReLU units, dropout and a limit on incoming weights."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Inputs of any shape, flattened, to logits [batch, classes]; initialised as torch does.

    widths: units of each hidden layer, each >= 1; none makes a linear classifier.
    dropout, input_dropout: chance in [0, 1) to drop a hidden unit or an input while training.
    max_norm: largest L2 norm of the weights that enter one hidden unit, in units of those weights,
    > 0; kept by `constrain` after each step. Hinton et al. 2012 (arXiv 1207.0580) limit the squared
    norm to 15, which is max_norm 3.87.
    """

    def __init__(
        self,
        widths: Sequence[int],
        input_shape: Sequence[int],
        classes: int,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        super().__init__()
        if any(width < 1 for width in widths):
            raise ValueError(f"widths must each be >= 1, got {list(widths)}")
        for name, chance in (("dropout", dropout), ("input_dropout", input_dropout)):
            if not 0 <= chance < 1:
                raise ValueError(f"{name} must be in [0, 1), got {chance}")
        if max_norm is not None and not max_norm > 0:
            raise ValueError(f"max_norm must be > 0 or null, got {max_norm}")
        self.max_norm = max_norm
        sizes = [prod(input_shape), *widths]
        self.hidden = nn.ModuleList(nn.Linear(size, width) for size, width in pairwise(sizes))
        self.input_dropout = nn.Dropout(input_dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(sizes[-1], classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, ...] to logits [batch, classes]."""
        x = self.input_dropout(inputs.flatten(1))
        for layer in self.hidden:
            x = self.dropout(torch.relu(layer(x)))
        logits: Tensor = self.output(x)
        return logits

    def input_gradients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and d log softmax / dx [batch, classes, inputs], without dropout.

        In closed form: with masks D_l of the active units it is (I - 1 p^T) W_out D_2 W_2 D_1 W_1,
        where the masks, constant almost everywhere, add nothing to its gradient by the weights.
        """
        x, masks = inputs.flatten(1), []
        for layer in self.hidden:
            x = torch.relu(layer(x))
            masks.append((x > 0).to(x))
        logits: Tensor = self.output(x)
        last = self.output.weight
        back = last - (logits.softmax(dim=1) @ last)[:, None, :]
        weights = [each for each in self.hidden.parameters() if each.dim() == 2]
        for weight, mask in zip(reversed(weights), reversed(masks), strict=True):
            back = (back * mask[:, None, :]) @ weight
        return logits, back

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale the incoming weights of each hidden unit down to `max_norm`, in place."""
        if self.max_norm is None:
            return
        for weight in self.hidden.parameters():
            if weight.dim() == 2:  # [units, inputs]; biases have one dimension
                norm = weight.norm(dim=1, keepdim=True)
                weight.mul_(self.max_norm / norm.clamp(min=self.max_norm))
