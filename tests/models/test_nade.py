"""NADE: its definition, computed slowly, against the fast kernel; and that it is a distribution."""

import itertools

import pytest
import torch
from torch import Tensor

from kdistill.models.nade import NADE
from kdistill.models.nade_kernel import BLOCK

UNITS = {"logistic": torch.sigmoid, "relu": torch.relu}
SIZES = (1, 3, BLOCK, BLOCK + 1, 3 * BLOCK - 1)  # bits, on both sides of whole blocks


def make(bits: int, hidden: int = 5, seed: int = 0, **keys: object) -> NADE:
    """In float64, with weights that matter and pre-activations away from the kink of a ReLU."""
    torch.manual_seed(seed)
    model = NADE(hidden, (bits,), **keys).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def plain(model: NADE, x: Tensor) -> Tensor:
    """log q [batch], position after position, as the definition says; any real x."""
    x, act = x.flatten(1)[:, model.order], UNITS[model.units]
    drive, total = model.hidden_bias.expand(len(x), -1), torch.zeros(len(x)).to(x)
    each = zip(x.T, model.encoder, model.decoder, model.visible_bias, strict=True)
    for x_d, w, u, bias in each:
        logit = act(drive) @ u + bias
        total = total + x_d * logit - torch.logaddexp(logit, torch.zeros_like(logit))
        drive = drive + x_d[:, None] * w
    return total


def bits(*shape: int, share: float = 0.4) -> Tensor:
    return (torch.rand(*shape, dtype=torch.float64) < share).double()


def all_inputs(count: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=count)), dtype=torch.float64)


def gradients(value: Tensor, model: NADE) -> list[Tensor]:
    return list(torch.autograd.grad(value, list(model.parameters()), materialize_grads=True))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("order", ["raster", "random"])
def test_density_and_its_gradients_are_those_of_the_definition(
    units: str, size: int, batch: int, order: str
) -> None:
    model = make(size, units=units, order=order)
    x, weights = bits(batch, size), torch.randn(batch, dtype=torch.float64)
    fast, slow = model(x), plain(model, x)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)
    pairs = zip(gradients(fast @ weights, model), gradients(slow @ weights, model), strict=True)
    for got, expected in pairs:
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_inputs_without_zeros_or_without_ones(share: float) -> None:
    model = make(2 * BLOCK + 3)
    x = torch.full((4, 2 * BLOCK + 3), share, dtype=torch.float64)
    torch.testing.assert_close(model(x), plain(model, x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("units", UNITS)
def test_gradients_against_finite_differences(units: str) -> None:
    model = make(BLOCK + 2, hidden=2, units=units)
    x, names = bits(3, BLOCK + 2), [name for name, _ in model.named_parameters()]

    def density(*parameters: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(density, tuple(model.parameters()))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("real", [False, True])
def test_score_is_the_derivative_and_has_derivatives_itself(units: str, real: bool) -> None:
    size = 2 * BLOCK + 3
    model = make(size, units=units, order="random")
    x = torch.randn(4, size, dtype=torch.float64) if real else bits(4, size)
    value, score = model.score(x)
    torch.testing.assert_close(value, plain(model, x), rtol=0, atol=1e-10)
    y, target = x.clone().requires_grad_(), torch.randn_like(x)
    (expected,) = torch.autograd.grad(plain(model, y).sum(), y, create_graph=True)
    torch.testing.assert_close(score, expected, rtol=0, atol=1e-10)
    loss = ((score - target).square().sum() + value.sum(), (expected - target).square().sum())
    pairs = gradients(loss[0], model), gradients(loss[1] + plain(model, x).sum(), model)
    for got, wanted in zip(*pairs, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-8)


def test_inputs_that_require_gradients_are_refused() -> None:
    with pytest.raises(TypeError, match=r"score\(\)"):
        make(3)(bits(2, 3).requires_grad_())


def test_samples_of_many_blocks_follow_the_density() -> None:
    """q'(x) / q(x) averages 1 over exact draws from q, whatever the distribution q'."""
    model, other = make(3 * BLOCK - 1), make(3 * BLOCK - 1)
    with torch.no_grad():
        other.visible_bias.add_(0.1 * torch.randn_like(other.visible_bias))
        drawn = model.sample(4000, torch.Generator().manual_seed(0))
        ratio = (other(drawn) - model(drawn)).exp()
        wrong = (other(drawn.flip(1)) - model(drawn.flip(1))).exp()
    error = 4 * ratio.std() / 4000**0.5  # missed by one right sampler in 15,000
    assert error < 0.1
    assert abs(ratio.mean() - 1) < error
    assert abs(wrong.mean() - 1) > error  # so it would show


def test_sampling_repeats_with_its_generator_and_keeps_the_shape() -> None:
    model = NADE(3, (1, 2, 3))
    first, again = (model.sample(5, torch.Generator().manual_seed(2)) for _ in range(2))
    assert first.shape == (5, 1, 2, 3)
    assert first.dtype == torch.float32
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert model.score(first)[1].shape == first.shape


def test_order_says_which_bit_is_visited_when() -> None:
    """Bit order[d] takes the place of bit d: the conditionals are those of the raster model."""
    model, raster = make(6, order="random", order_seed=3), make(6)
    assert not torch.equal(model.order, raster.order)
    assert sorted(model.order.tolist()) == list(range(6))
    x = all_inputs(6)
    torch.testing.assert_close(model(x), raster(x[:, model.order]))
    first = model.order[0]  # visited first, its probability depends on nothing else
    p = torch.sigmoid(model.hidden_bias.sigmoid() @ model.decoder[0] + model.visible_bias[0])
    assert (model(x).exp() @ x[:, first]).item() == pytest.approx(p.item(), abs=1e-12)


def test_order_is_drawn_from_its_seed_and_kept_with_the_weights() -> None:
    one, same, other = (NADE(2, (40,), order="random", order_seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.order, same.order)
    assert not torch.equal(one.order, other.order)
    other.load_state_dict(one.state_dict())
    x = bits(3, 40).float()
    assert torch.equal(other(x), one(x))


def test_weights_start_as_the_paper_says() -> None:
    torch.manual_seed(0)
    model = NADE(99, (400,))
    assert model.encoder.std().item() == pytest.approx(1 / 20, rel=0.02)  # 39,600 numbers
    assert model.decoder.std().item() == pytest.approx(1 / 10, rel=0.02)
    assert model.hidden_bias.std().item() == pytest.approx(1 / 20, rel=0.25)
    assert model.visible_bias.std().item() == pytest.approx(1 / 10, rel=0.15)


def test_single_precision_is_enough_for_784_bits() -> None:
    torch.manual_seed(0)
    model = NADE(50, (28, 28))
    x = bits(4, 28, 28, share=0.13).float()
    exact = plain(model.double(), x.double())
    torch.testing.assert_close(model.float()(x).double(), exact, rtol=0, atol=2e-3)


def test_autocast_changes_nothing() -> None:
    model, x = make(20).float(), bits(4, 20).float()
    with torch.autocast("cpu", torch.bfloat16):
        said = model(x), *model.score(x)
    for got, expected in zip(said, (model(x), *model.score(x)), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hidden": 0}, "hidden must be >= 1, got 0"),
        ({"units": "tanh"}, "units must be logistic or relu, got tanh"),
        ({"order": "spiral"}, "order must be raster or random, got spiral"),
    ],
)
def test_out_of_range(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NADE(**{"hidden": 2, "input_shape": (3,), **keys})  # type: ignore[arg-type]
