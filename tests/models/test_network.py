"""Network: models of every shipped config and of a user's own, and what is refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn

from kdistill.data.spec import Array
from kdistill.errors import UserError
from kdistill.models.network import Network, make_network
from kdistill.models.preprocessing import Pixels
from kdistill.paths import CONFIG_DIR
from kdistill.tasks.classification import Classification

STUDENTS = sorted((CONFIG_DIR / "student").glob("*.yaml"))
DENSITIES = ("nade", "made")
MLP = {"_target_": "kdistill.models.mlp.MLP", "widths": [4]}
TINY = {"_target_": "own_networks.Tiny", "hidden": 5}
PAIR = {"_target_": "own_networks.Pair", "hidden": 5}
FOUR_WIDE = {"_target_": "kdistill.models.preprocessing.Pixels", "size": 4}

OWN_MODULES = """
from torch import nn

class Tiny(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(12, hidden), nn.Linear(hidden, 3))

    def forward(self, x):
        return self.layers(x)

class Pair(Tiny):
    def forward(self, x):
        return self.layers(x), x
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted module of the user's, own_networks."""
    (tmp_path / "own_networks.py").write_text(OWN_MODULES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("KDISTILL_TRUST", "own_networks")


FOUR = Classification()
FOUR.classes = 4


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("option", [path.stem for path in STUDENTS if path.stem not in DENSITIES])
def test_every_student_config_answers_grey_and_coloured_images(
    option: str, shape: tuple[int, ...]
) -> None:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose(overrides=[f"+student={option}"]).student
    network = make_network(config, Array(shape), {"classes": 7})
    assert network.training
    images = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    with torch.no_grad():
        logits = network.eval()(images)
    assert logits.shape == (3, 7)
    assert logits.std(dim=0).min() > 0  # different images, different answers
    torch.testing.assert_close(network(images[:1]), logits[:1], rtol=1e-3, atol=1e-4)


def test_the_model_sees_the_shape_after_preprocessing() -> None:
    pixels = {"_target_": "kdistill.models.preprocessing.Pixels", "size": 5, "channels": 2}
    network = make_network(
        {**MLP, "preprocessing": pixels}, Array((1, 28, 28), torch.uint8), {"classes": 3}
    )
    assert network.model.hidden[0].in_features == 2 * 5 * 5


def test_preprocessing_may_be_any_module_of_the_users() -> None:
    config = {**MLP, "preprocessing": {"_target_": "torch.nn.AvgPool2d", "kernel_size": 2}}
    assert make_network(config, Array((1, 8, 8)), {"classes": 3}).model.hidden[0].in_features == 16


@pytest.mark.usefixtures("own")
def test_a_users_module_needs_neither_classes_nor_input_shape() -> None:
    network = make_network(TINY, Array((3, 2, 2), torch.uint8), {"classes": 3})
    assert isinstance(network.preprocessing, Pixels)
    assert network(torch.zeros(4, 3, 2, 2, dtype=torch.uint8)).shape == (4, 3)


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (
            TINY,
            (3, 4, 4),
            r"^model: own_networks.Tiny cannot take .* \[3, 4, 4\]: .*mat1",
        ),
        (TINY, (12,), r"Tiny must answer with logits \[batch, 4\], got \[2, 3\] for two inputs"),
        (PAIR, (12,), r"Pair must answer with logits \[batch, 4\], got a tuple"),
        ({**MLP, "widths": [0]}, (12,), "widths must each be >= 1"),
        ({**MLP, "preprocessing": FOUR_WIDE}, (12,), "model.preprocessing: size and channels need"),
        ({"widths": [4]}, (12,), "model._target_: missing"),
        ({"_target_": "kdistill.tasks.classification.Classification"}, (12,), "not a torch.nn.Mod"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_does_not_fit_is_one_line(
    config: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        make_network(config, Array(shape), FOUR.offers(), FOUR.check_model)
    assert "\n" not in str(caught.value)


def test_making_a_network_leaves_its_statistics_as_new() -> None:
    config = OmegaConf.load(CONFIG_DIR / "student" / "resnet.yaml")
    network = make_network(config, Array((1, 8, 8), torch.uint8), {"classes": 3})
    buffers = dict(network.named_buffers())
    counts = [value for name, value in buffers.items() if name.endswith("num_batches_tracked")]
    assert counts
    assert all(int(count) == 0 for count in counts)


def test_wrap_hands_over_floats_as_they_are_and_wraps_once() -> None:
    class Echo(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    network = Network.wrap(Echo())
    inputs = torch.tensor([[-1.0, 300.0]])
    assert network(inputs) is inputs
    assert Network.wrap(network) is network
