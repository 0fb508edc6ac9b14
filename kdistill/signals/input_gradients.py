"""Derivatives of log p(class | x) with respect to the input, exact or along one direction.

x are the floats that a model reads (uint8 pixels divided by 255), whatever its preprocessing makes
of them, so that two models' derivatives can be compared. Papamakarios 2015, chapter 2.
"""

import warnings
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from kdistill.data.batch import Batch
from kdistill.data.randomness import purpose_of, uniform
from kdistill.data.tree import floats, single
from kdistill.models.mlp import MLP
from kdistill.models.network import Network
from kdistill.models.preprocessing import Pixels
from kdistill.signals.signal import ANSWER, Signal, key_of

DIRECTION = purpose_of("direction of a derivative")


class InputGradients(Signal):
    """d log p(class | x) / dx [batch, classes, *input]; with them come logits and slopes."""

    rank: ClassVar[int] = 3

    def ask(self, model: nn.Module, batch: Batch, needs: frozenset[Signal]) -> dict[Signal, Tensor]:
        logits, gradients = input_gradients(model, single(batch.inputs))
        found = {ANSWER: logits, self: gradients}
        if SLOPES in needs:
            found[SLOPES] = projected(gradients, key_of(batch))
        return found


class Slopes(Signal):
    """Input gradients along a direction from each sample's key [batch, classes], and the logits.

    Directions are new each epoch, so whole gradients are stored, which serve them all.
    """

    rank: ClassVar[int] = 2

    def ask(self, model: nn.Module, batch: Batch, needs: frozenset[Signal]) -> dict[Signal, Tensor]:
        logits, along = slopes(model, single(batch.inputs), key_of(batch))
        return {ANSWER: logits, self: along}

    def kept_as(self) -> Signal:
        return INPUT_GRADIENTS

    def restored(self, kept: Tensor, batch: Batch) -> Tensor:
        return projected(kept, key_of(batch))


INPUT_GRADIENTS: Signal = InputGradients("input_gradients")
SLOPES: Signal = Slopes("slopes")


def input_gradients(module: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [batch, classes] and d log p(class | x) / dx [batch, classes, *input].

    Differentiable in the weights where gradients are enabled (double backpropagation, the classes
    at once); of a mean of distributions it is the gradient of the log of the mean.
    """
    x = _leaf(inputs)
    if closed := _rectifiers(module):
        logits, gradients = closed.input_gradients(x)
        return logits, gradients.view(*gradients.shape[:2], *x.shape[1:])
    trained = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.requires_grad_()
        logits = module(x)
        log_p = logits.log_softmax(dim=1)
        count = log_p.shape[1]
        each = torch.eye(count).to(log_p)[:, None, :].expand(count, *log_p.shape)
        (gradients,) = torch.autograd.grad(
            log_p, x, each, create_graph=trained, is_grads_batched=True
        )
    return logits if trained else logits.detach(), gradients.transpose(0, 1)


def slopes(module: nn.Module, inputs: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [batch, classes] and u . d log p(class | x) / dx [batch, classes], u = `directions`.

    One pass forward with its tangent: the cost grows neither with classes nor with inputs.
    """
    x = _leaf(inputs)
    with warnings.catch_warnings(), forward_ad.dual_level():
        # torch's own rules for tangents are scripts, which its later releases warn of
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        dual = forward_ad.make_dual(x, directions(x, key))  # type: ignore[no-untyped-call]
        logits, tangent = forward_ad.unpack_dual(module(dual))  # type: ignore[no-untyped-call]
    mean = (logits.softmax(dim=1) * tangent).sum(dim=1, keepdim=True)
    return logits, tangent - mean  # of the log-softmax


def directions(inputs: Tensor, key: Tensor) -> Tensor:
    """u [batch, *input] of random signs from the samples' keys, the same for every model.

    E[(u . g)^2] = |g|^2 for any g, with the least variance among independent components.
    """
    count = inputs[0].numel()
    signs = torch.where(uniform(key, count, DIRECTION) < 0.5, -1.0, 1.0)
    return signs.view(inputs.shape).to(inputs)


def projected(gradients: Tensor, key: Tensor) -> Tensor:
    """`slopes` [batch, classes] from `input_gradients` [batch, classes, *input]."""
    along = directions(gradients[:, 0], key)
    return (gradients.flatten(2) @ along.flatten(1)[:, :, None]).squeeze(2)


def _leaf(inputs: Tensor) -> Tensor:
    """The floats that models read, as a tensor that may be differentiated by."""
    return single(floats(inputs)).detach()


def _rectifiers(module: nn.Module) -> MLP | None:
    """The MLP whose derivatives have a closed form here: no dropout, inputs as they are."""
    model = module.model if isinstance(module, Network) else module
    plain = not isinstance(module, Network) or _passes(module.preprocessing)
    if not (isinstance(model, MLP) and plain):
        return None
    drops = model.training and (model.dropout.p > 0 or model.input_dropout.p > 0)
    return None if drops else model


def _passes(preprocessing: nn.Module) -> bool:
    """Whether floats come out of it unchanged."""
    if not isinstance(preprocessing, Pixels):
        return False
    return preprocessing.mean is None and not preprocessing.size and not preprocessing.channels
