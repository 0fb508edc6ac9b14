"""Derivatives by the input: against finite differences, each other, and in expectation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.randomness import sample_keys
from kdistill.models.mlp import MLP
from kdistill.models.network import Network
from kdistill.models.preprocessing import Pixels
from kdistill.signals.ask import ask
from kdistill.signals.input_gradients import (
    INPUT_GRADIENTS,
    SLOPES,
    directions,
    input_gradients,
    projected,
    slopes,
)
from kdistill.tasks.classification import Combined

KEYS = sample_keys(0, 0, torch.arange(6))


def inputs(*shape: int) -> Tensor:
    return torch.rand(6, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def tanh() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 4)).double()


def rectifiers(**keys: float) -> MLP:
    torch.manual_seed(0)
    return MLP([9, 8], (1, 3, 4), 4, **keys).double()


def differences(module: nn.Module, x: Tensor, step: float = 1e-6) -> Tensor:
    """Central differences of log p, [batch, classes, *input]."""
    found = torch.zeros(len(x), 4, x[0].numel(), dtype=torch.float64)
    for place in range(x[0].numel()):
        nudge = torch.zeros(x[0].numel(), dtype=torch.float64)
        nudge[place] = step
        up, down = ((x + sign * nudge.view_as(x[0])) for sign in (1, -1))
        rise = module(up).log_softmax(1) - module(down).log_softmax(1)
        found[:, :, place] = rise / (2 * step)
    return found.view(len(x), 4, *x.shape[1:])


STANDARDISED = Network(Pixels(mean=0.3, std=0.5), rectifiers()).double()
ENSEMBLE = Combined([rectifiers(), tanh()], "arithmetic")


@pytest.mark.parametrize("module", [tanh(), rectifiers(), STANDARDISED, ENSEMBLE])
def test_gradients_are_finite_differences(module: nn.Module) -> None:
    x = inputs(1, 3, 4)
    logits, gradients = input_gradients(module, x)
    torch.testing.assert_close(gradients, differences(module, x), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(logits, module(x))
    weighted = (logits.softmax(1)[:, :, None] * gradients.flatten(2)).sum(1)
    assert weighted.abs().max() < 1e-12  # the mean score is 0


def test_of_an_ensemble_they_are_the_gradient_of_the_log_of_the_mean() -> None:
    """Papamakarios: sum_k p_ki grad log p_ki / sum_k p_ki."""
    x, members = inputs(1, 3, 4), [rectifiers(), tanh()]
    said = [input_gradients(member, x) for member in members]
    p = torch.stack([logits.softmax(1) for logits, _ in said])[..., None, None, None]
    expected = (p * torch.stack([gradients for _, gradients in said])).sum(0) / p.sum(0)
    combined = input_gradients(Combined(members, "arithmetic"), x)[1]
    torch.testing.assert_close(combined, expected)


def by_autograd(model: MLP, x: Tensor) -> tuple[Tensor, Tensor]:
    return input_gradients(nn.Sequential(model), x)  # no Network, no MLP: no closed form


def test_the_closed_form_is_double_backpropagation_also_in_the_weights() -> None:
    x, found = inputs(1, 3, 4), []
    ways: list[Callable[..., tuple[Tensor, Tensor]]] = [input_gradients, by_autograd]
    for way in ways:
        model = rectifiers()
        gradients = way(model, x)[1]
        loss = (gradients.flatten(2) ** 2).sum()
        found.append([gradients, *torch.autograd.grad(loss, [*model.parameters()][:-1])])
    for closed, automatic in zip(*found, strict=True):
        torch.testing.assert_close(closed.reshape(automatic.shape), automatic)


def test_dropout_has_no_closed_form_and_is_differentiated_as_it_fell() -> None:
    model = rectifiers(dropout=0.5).train()
    torch.manual_seed(1)
    dropped = input_gradients(model, inputs(1, 3, 4))[1]
    torch.manual_seed(1)
    assert torch.equal(dropped, by_autograd(model, inputs(1, 3, 4))[1])
    assert not torch.allclose(dropped, input_gradients(model.eval(), inputs(1, 3, 4))[1])


@pytest.mark.parametrize("module", [tanh(), rectifiers(), STANDARDISED, ENSEMBLE])
def test_a_slope_is_the_gradient_along_its_direction(module: nn.Module) -> None:
    x = inputs(1, 3, 4)
    _, gradients = input_gradients(module, x)
    logits, along = slopes(module, x, KEYS)
    torch.testing.assert_close(along, projected(gradients, KEYS))
    torch.testing.assert_close(logits, module(x))


def test_a_slope_trains_the_weights_as_autograd_says() -> None:
    model, x = tanh(), inputs(1, 3, 4)
    by_slope = torch.autograd.grad((slopes(model, x, KEYS)[1] ** 2).sum(), [*model.parameters()])
    exact = projected(input_gradients(model, x)[1], KEYS)
    for one, other in zip(
        by_slope, torch.autograd.grad((exact**2).sum(), [*model.parameters()]), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_square_of_a_slope_is_unbiased_with_the_variance_of_random_signs() -> None:
    g = torch.randn(1, 1, 20, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    keys = sample_keys(3, 0, torch.arange(40_000))
    squares = projected(g.expand(len(keys), 1, 20), keys).square().flatten()
    norm = float(g.square().sum())
    variance = 2 * (norm**2 - float(g.pow(4).sum()))  # Hutchinson 1990
    assert float(squares.mean()) == pytest.approx(norm, abs=4 * (variance / len(keys)) ** 0.5)
    assert float(squares.var()) == pytest.approx(variance, rel=0.05)


def test_directions_belong_to_the_sample_and_are_new_each_epoch() -> None:
    x = inputs(1, 3, 4)
    assert torch.equal(directions(x, KEYS)[2:4], directions(x[2:4], KEYS[2:4]))
    later = sample_keys(0, 1, torch.arange(6))
    assert not torch.equal(directions(x, KEYS), directions(x, later))
    assert set(directions(x, KEYS).flatten().tolist()) == {-1.0, 1.0}


def test_uint8_pixels_are_differentiated_as_the_floats_they_become() -> None:
    pixels = torch.arange(72, dtype=torch.uint8).view(6, 1, 3, 4) * 3
    network = Network(Pixels(), rectifiers().float())
    asked = ask(network, Batch(pixels), frozenset({INPUT_GRADIENTS}))
    _, expected = input_gradients(network, pixels.float() / 255)
    assert torch.equal(asked[INPUT_GRADIENTS], expected)


def test_without_gradients_enabled_there_is_no_graph() -> None:
    with torch.no_grad():
        for module in (tanh(), rectifiers()):
            assert not any(each.requires_grad for each in input_gradients(module, inputs(1, 3, 4)))


def test_slopes_need_keys() -> None:
    with pytest.raises(TypeError, match="drawn from the samples' keys"):
        ask(tanh(), Batch(inputs(1, 3, 4)), frozenset({SLOPES}))
