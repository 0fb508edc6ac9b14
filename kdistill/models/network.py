"""Network: a model together with the preprocessing of its inputs; and the maker of one.

A classifier answers with logits [batch, classes]. A density, made for data without classes, answers
with log p(x) [batch] (up to a constant, where it cannot be normalised); it has
`score(inputs) -> (log p, d log p / dx)`, and `sample(count, generator)`, or `gibbs(inputs,
generator, sweeps)` where it can only be sampled by a chain. Samples are floats of 0 and 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kdistill.config.build import build, parameters_of, resolve, to_plain
from kdistill.config.check import check_targets
from kdistill.data.spec import Array, Spec, arrays, blank, spec_of
from kdistill.data.tree import Tree
from kdistill.errors import UserError
from kdistill.models.bounded import Bounded
from kdistill.models.preprocessing import Pixels

Check = Callable[[nn.Module, object], None]  # of a model and its answer to two blank inputs


class Network(nn.Module):
    """Raw inputs [batch, ...] to logits [batch, classes], or to log-densities [batch].

    What the preprocessing makes of several arrays by name reaches the model as keywords.
    """

    def __init__(self, preprocessing: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.model = model

    @staticmethod
    def wrap(model: nn.Module) -> "Network":
        """`model` as a Network that hands it floats as they are (and uint8 divided by 255)."""
        return model if isinstance(model, Network) else Network(Pixels(), model)

    def forward(self, inputs: Tree) -> Tensor:
        """Raw inputs [batch, ...] to logits [batch, classes], or to log-densities [batch]."""
        seen = self.preprocessing(inputs)
        said: Tensor = self.model(**seen) if isinstance(seen, Mapping) else self.model(seen)
        return said

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-densities [batch] and their derivatives by the floats that the model sees."""
        said: tuple[Tensor, Tensor] = self.model.score(  # type: ignore[operator]
            self.preprocessing(inputs)
        )
        return said


def inner(module: nn.Module) -> nn.Module:
    """The model of a Network, which is what can be sampled; another module itself."""
    return module.model if isinstance(module, Network) else module


def make_network(
    config: Mapping[str, Any],
    inputs: Spec,
    offers: Mapping[str, Any],
    check: Check | None = None,
    key: str = "model",
    weights: Mapping[str, Tensor] | None = None,
) -> Network:
    """Make the Network of a model config, on the CPU, and ask it two inputs to see that it fits.

    config: `_target_`, its keys, and `preprocessing` (null or left out: `Pixels()`). The target
    gets `input_shape` (of an input that is one array, after preprocessing) and what the task offers
    by name, `classes` say, if it has such parameters. check: Task.check_model. weights: what will
    be loaded into it; see Bounded.
    UserError, naming `key`, where the config stands in the whole, when it cannot be built, cannot
    take such inputs or answers with another shape.
    """
    plain = dict(to_plain(config))
    check_targets(plain, key)
    with Bounded(key, weights):
        return _made(plain, inputs, dict(offers), check, key)


def _made(
    plain: dict[str, Any], inputs: Spec, offered: dict[str, Any], check: Check | None, key: str
) -> Network:
    named, place = plain.pop("preprocessing", None), f"{key}.preprocessing"
    preprocessing = build(named, roles=(nn.Module,), key=place) if named else Pixels()
    try:
        seen = _after(preprocessing, inputs)
    except Exception as error:  # a user's own preprocessing may raise anything
        raise UserError(f"{place}: {_one_line(error)}") from error
    if isinstance(seen, Array):
        offered["input_shape"] = seen.shape
    known, target = {**plain, **offered}, plain.get("_target_")
    if "classes" not in known and "classes" in parameters_of(resolve(target, f"{key}._target_")):
        raise UserError(
            f"{key}: {plain['_target_']} tells classes apart, and these data have none; use a "
            "density: nade or made"
        )
    model = build(plain, roles=(nn.Module,), offered=offered, key=key)
    network = Network(preprocessing, model)
    try_network(network, f"{key}: {plain['_target_']}", inputs, check)
    return network


def _after(preprocessing: nn.Module, inputs: Spec) -> Spec:
    """What the model sees of one input."""
    if isinstance(preprocessing, Pixels) and isinstance(inputs, Array):
        return Array(preprocessing.output_shape(inputs.shape))
    return spec_of(preprocessing(blank(inputs, 1)))


def try_network(network: Network, name: str, inputs: Spec, check: Check | None = None) -> None:
    """Ask `network` two inputs of zeros; UserError, beginning with `name`, where that fails or
    `check` refuses the answer."""
    listed = ", ".join(f"{name} {array}" for name, array in arrays(inputs).items())
    given = (
        f"inputs of shape {[*inputs.shape]}" if isinstance(inputs, Array) else f"inputs {listed}"
    )
    try:
        with torch.no_grad():
            answer = network.eval()(blank(inputs, 2))
    except Exception as error:  # a user's own model may raise anything
        raise UserError(f"{name} cannot take {given}: {_one_line(error)}") from error
    if check:
        try:
            check(network, answer)
        except UserError as error:
            raise UserError(f"{name} {error}") from error
    network.train()


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
