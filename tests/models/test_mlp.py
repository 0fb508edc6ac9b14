"""MLP: its function, and the limit on incoming weights."""

import pytest
import torch

from kdistill.models.mlp import MLP


def test_computes_what_its_weights_say() -> None:
    model = MLP([2], (1, 2, 1), classes=1)
    model.load_state_dict(
        {
            "hidden.0.weight": torch.tensor([[1.0, -1.0], [1.0, 1.0]]),
            "hidden.0.bias": torch.tensor([0.0, -1.0]),
            "output.weight": torch.tensor([[10.0, 1.0]]),
            "output.bias": torch.tensor([0.5]),
        }
    )
    # units: relu(2 - 3) = 0 and relu(2 + 3 - 1) = 4
    assert model(torch.tensor([[[[2.0], [3.0]]]])).item() == 4.5


def test_without_hidden_layers_it_is_linear() -> None:
    model = MLP([], (3,), classes=2)
    x = torch.rand(4, 3)
    torch.testing.assert_close(model(2 * x) - model(x), model(x) - model(0 * x))


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    model = MLP([64], (8,), classes=2, dropout=0.5, input_dropout=0.2)
    x = torch.randn(16, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_input_dropout_drops_that_share_of_the_inputs() -> None:
    torch.manual_seed(0)
    model = MLP([], (1,), classes=1, input_dropout=0.2)
    torch.nn.init.ones_(model.output.weight)
    torch.nn.init.zeros_(model.output.bias)
    dropped = (model(torch.ones(10_000, 1)) == 0).float().mean()
    assert abs(float(dropped) - 0.2) < 0.02


def test_constrain_shortens_long_weights_and_leaves_the_others() -> None:
    model = MLP([2], (2,), classes=3, max_norm=1.0)
    weight = model.hidden[0].weight
    storage = weight.data_ptr()
    with torch.no_grad():
        weight.copy_(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
        model.output.weight.fill_(5.0)
    model.constrain()
    torch.testing.assert_close(weight.data, torch.tensor([[0.6, 0.8], [0.3, 0.4]]))
    assert weight.data_ptr() == storage
    assert weight.requires_grad
    assert (model.output.weight == 5).all()  # only what enters hidden units is limited


def test_without_a_limit_constrain_changes_nothing() -> None:
    model = MLP([2], (2,), classes=3)
    with torch.no_grad():
        model.hidden[0].weight.fill_(100.0)
    model.constrain()
    assert (model.hidden[0].weight == 100).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": [3, 0]}, r"widths must each be >= 1, got \[3, 0\]"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"input_dropout": -0.1}, r"input_dropout must be in \[0, 1\), got -0.1"),
        ({"max_norm": 0.0}, "max_norm must be > 0 or null, got 0.0"),
    ],
)
def test_refuses_values_out_of_range(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(**{"widths": [3], "input_shape": (2,), "classes": 2, **wrong})  # type: ignore[arg-type]
