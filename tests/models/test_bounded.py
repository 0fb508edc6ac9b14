"""A model of a stranger's folder takes no more memory than its weights can fill."""

import pytest
import torch
from torch import nn

from kdistill.data.spec import Array
from kdistill.errors import UserError
from kdistill.models.bounded import Bounded
from kdistill.models.network import make_network

MLP = {"_target_": "kdistill.models.mlp.MLP", "dropout": 0.0}


@pytest.mark.parametrize(
    "config",
    [
        {**MLP, "widths": [70_000, 70_000]},
        {**MLP, "widths": [10**18]},
        {**MLP, "widths": [4000] * 1000},  # none of them large
        {"_target_": "kdistill.models.rbm.RBM", "hidden": 10**9},
        {"_target_": "kdistill.models.nade.NADE", "hidden": 10**7},
        {"_target_": "kdistill.models.made.MADE", "widths": [10**6]},
    ],
)
def test_a_model_far_larger_than_its_weights_is_refused_before_it_is_made(config) -> None:
    offers = {} if "widths" not in config or "MADE" in config["_target_"] else {"classes": 10}
    said = r"^model takes .* GB or more, which is more than its 4\.0 MB of weights can fill"
    with pytest.raises(UserError, match=said):
        make_network(config, Array((1, 28, 28)), offers, weights={"x": torch.zeros(10**6)})


def test_a_model_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdistill.models.bounded.free_memory", lambda: 8e9)
    with pytest.raises(UserError, match=r"^student takes 19\.8 GB or more, which is more than the"):
        make_network(
            {**MLP, "widths": [70_000, 70_000]}, Array((1, 28, 28)), {"classes": 10}, key="student"
        )


def test_one_input_may_not_be_larger_either() -> None:
    with pytest.raises(UserError, match="takes 40.0 GB or more"):
        make_network({**MLP, "widths": [1]}, Array((100_000, 100_000)), {"classes": 2})


def test_what_fits_is_made_and_the_random_numbers_stay() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(3, 2)
    torch.manual_seed(0)
    with Bounded("model", {}):
        bounded = nn.Linear(3, 2)
        assert torch.full((2, 3), 1.0).shape == torch.zeros(size=(2, 3)).shape
    assert torch.equal(plain.weight, bounded.weight)
