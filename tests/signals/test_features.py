"""Features: one pass for all of them, layers by their name, and no hook left behind."""

import pytest
import torch
from torch import Tensor, nn

from kdistill.checks import check_process
from kdistill.data.batch import Batch
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.losses.likelihood import Likelihood
from kdistill.models.network import Network
from kdistill.signals.ask import ask
from kdistill.signals.features import Feature
from kdistill.signals.signal import ANSWER


class Blocks(nn.Module):
    """Counts its passes; has a layer that it does not use, and one that gives two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.passes = nn.Linear(4, 3), nn.Linear(3, 2), 0
        self.idle, self.pair = nn.Identity(), nn.LSTM(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += 1
        middle, _ = self.pair(self.first(inputs))
        return self.last(middle)


BATCH = Batch(torch.ones(5, 4))


def test_features_and_answer_take_one_pass_and_leave_no_hook() -> None:
    model = Blocks()
    first, last = Feature("first"), Feature("last")
    signals = ask(Network.wrap(model), BATCH, frozenset({first, last, ANSWER}))
    assert model.passes == 1
    assert torch.equal(signals[first], model.first(BATCH.inputs))
    assert torch.equal(signals[last], signals[ANSWER])
    assert not any(layer._forward_hooks for layer in model.modules())


def test_gradients_flow_through_features_in_float32_whatever_the_pass_is_in() -> None:
    model, first = Blocks().bfloat16(), Feature("first")
    value = ask(model, Batch(BATCH.inputs.bfloat16()), frozenset({first}))[first]
    assert value.dtype == torch.float32
    value.sum().backward()
    assert model.first.weight.grad is not None


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (
            "blocks.2",
            "layer blocks.2: Blocks has none of this name; it has first, last, idle, pair",
        ),
        ("idle", "layer idle: the model has it and does not use it"),
        ("pair", "layer pair: it gives a tuple, no tensor"),
    ],
)
def test_a_layer_that_gives_nothing_is_one_line(layer: str, line: str) -> None:
    model = Blocks()
    with pytest.raises(UserError, match=line):
        ask(model, BATCH, frozenset({Feature(layer), Feature("first")}))
    assert not any(each._forward_hooks for each in model.modules())


@pytest.mark.parametrize("name", ["", "../x", "a..b", "a b", "a/b"])
def test_a_name_that_no_layer_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a layer is named like"):
        Feature(name)


@pytest.mark.parametrize(
    ("process", "which"),
    [
        (Process(compile=True), "device.compile=true"),
        (Process(processes=2, strategy="fsdp"), "device.strategy=fsdp"),
    ],
)
def test_models_that_do_not_show_their_layers_are_refused(process: Process, which: str) -> None:
    loss = Likelihood()
    loss.student_needs = frozenset({Feature("first")})
    with pytest.raises(UserError, match=f"it looks at layers, which {which} does not show"):
        check_process(loss, Fit(1, 8, {"_target_": "torch.optim.SGD", "lr": 0.1}), process)
