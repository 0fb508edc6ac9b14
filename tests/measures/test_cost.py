"""Cost: exact counts for known layers, and a module that is left as it was."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdistill.data.spec import Array
from kdistill.measures import cost as measured
from kdistill.measures.cost import cost
from kdistill.models.mlp import MLP
from kdistill.models.nade import NADE
from kdistill.models.nade_kernel import BLOCK
from kdistill.models.network import Network
from kdistill.models.preprocessing import Pixels
from kdistill.tasks.classification import Combined

CPU = torch.device("cpu")
HINTONS_STUDENT = 784 * 800 + 800 * 800 + 800 * 10
SHAPE = (1, 28, 28)
PICTURE = Array(SHAPE, torch.uint8)


def students_network() -> Network:
    return Network(Pixels(), MLP([800, 800], SHAPE, classes=10, dropout=0.5))


def test_counts_of_hintons_student() -> None:
    found = cost(students_network(), PICTURE, None, CPU)
    assert found.multiply_adds == HINTONS_STUDENT
    assert found.parameters == HINTONS_STUDENT + 800 + 800 + 10
    assert found.bytes == 4 * found.parameters


@pytest.mark.parametrize("combine", ["arithmetic", "geometric"])
def test_an_ensemble_costs_the_sum_of_its_members(combine: str) -> None:
    ensemble = Combined([students_network(), students_network()], combine)
    found = cost(ensemble, PICTURE, None, CPU)
    assert found.multiply_adds == 2 * HINTONS_STUDENT
    assert found.parameters == 2 * (HINTONS_STUDENT + 1610)


def test_resizing_and_convolution_are_counted_after_preprocessing() -> None:
    convolution = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.LazyLinear(2))
    network = Network(Pixels(mean=0.5, std=0.5, size=6, channels=3), convolution)
    network(torch.zeros(1, 1, 8, 8))
    found = cost(network, Array((1, 8, 8), torch.uint8), None, CPU)
    assert found.multiply_adds == 6 * 6 * 5 * 3 * 9 + 6 * 6 * 5 * 2


def test_attention_is_counted() -> None:
    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    found = cost(Attention(), Array((2, 5, 4)), None, CPU)
    assert found.multiply_adds == 2 * (2 * 5 * 5 * 4)  # two heads; scores, then their mixture


def test_where_the_way_depends_on_the_input_its_own_is_counted() -> None:
    class Peeking(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if x.sum().item() >= 0 else -x

    found = cost(Peeking(3, 5), Array((3,)), None, CPU)
    assert found.multiply_adds == 15
    assert found.latency_ms["1"] > 0


@pytest.mark.parametrize("bits", [64, 70])
def test_a_nade_costs_two_products_of_its_size_on_a_blank_input(bits: int) -> None:
    found = cost(NADE(10, (bits,)), Array((bits,)), None, CPU)
    whole_blocks = -(-bits // BLOCK) * BLOCK
    assert found.multiply_adds == 2 * whole_blocks * 10


def test_what_cannot_be_counted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(measured, "_counted", refuse)
    assert cost(nn.Linear(2, 2), Array((2,)), None, CPU).multiply_adds is None


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "student.safetensors"
    path.write_bytes(bytes(123))
    assert cost(nn.Linear(2, 2), Array((2,)), path, CPU).bytes == 123


def test_latency_grows_with_the_batch_and_names_its_setting() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        found = cost(students_network(), PICTURE, None, CPU)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert found.latency_setting == "1 thread, cpu"
    assert set(found.latency_ms) == {"1", "256"}
    # 256 inputs are 655 million operations: no core does them in the time of one input
    assert found.latency_ms["256"] > 3 * found.latency_ms["1"] > 0


def test_latency_is_in_milliseconds() -> None:
    class Slow(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            import time

            time.sleep(0.005)
            return x

    assert 5 <= cost(Slow(), Array((3,)), None, CPU).latency_ms["1"] < 50


def test_the_module_is_left_as_it_was() -> None:
    network = Network(Pixels(mean=0.5), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784)))
    network.model[1].eval()  # a mixture of modes, as with a frozen layer
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    cost(network, PICTURE, None, CPU)
    assert [module.training for module in network.modules()] == modes
    assert {value.device for value in network.state_dict().values()} == {CPU}
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
