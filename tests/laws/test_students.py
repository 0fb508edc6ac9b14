"""The laws of classifiers as students, over configs/student: a model added is found here."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.weights import load_weights
from kdistill.config.build import parameters_of, resolve, to_plain
from kdistill.data.spec import Array
from kdistill.errors import UserError
from kdistill.models.network import Network, make_network
from kdistill.paths import CONFIG_DIR

CLASSES = 5
SHAPES = ((1, 28, 28), (3, 32, 32))  # the first that a student takes is tried


def config_of(option: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        changes = [f"+student={option}", *overrides]
        return to_plain(compose(overrides=changes).student)


def classifies(option: str) -> bool:
    return "classes" in parameters_of(resolve(config_of(option)["_target_"]))


OPTIONS = sorted(path.stem for path in (CONFIG_DIR / "student").glob("[!_]*.yaml"))
OPTIONS = [option for option in OPTIONS if classifies(option)]


def made(config: dict[str, Any], shape: Sequence[int], seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return make_network(config, Array(tuple(shape)), {"classes": CLASSES}, key="student")


class Student:
    """An option's config, the shape of inputs that it takes, a network and some inputs."""

    def __init__(self, option: str) -> None:
        self.option, self.config = option, config_of(option)
        self.shape = next(shape for shape in SHAPES if self._takes(shape))
        self.network = made(self.config, self.shape)
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randint(
            0, 256, (4, *self.shape), dtype=torch.uint8, generator=generator
        )

    def _takes(self, shape: Sequence[int]) -> bool:
        try:
            made(self.config, shape)
        except UserError:
            return False
        return True


@pytest.fixture(scope="module", params=OPTIONS)
def student(request: pytest.FixtureRequest) -> Student:
    return Student(request.param)


def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network.eval()(inputs)
    return logits


def test_it_answers_raw_inputs_with_different_finite_logits(student: Student) -> None:
    logits = answer(student.network, student.inputs)
    assert logits.shape == (4, CLASSES)
    assert logits.isfinite().all()
    assert logits.std(dim=0).min() > 0


def test_the_same_seed_makes_the_same_network_and_another_seed_another(student: Student) -> None:
    state = student.network.state_dict()
    again, other = (made(student.config, student.shape, seed).state_dict() for seed in (0, 1))
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert any(not torch.equal(state[name], other[name]) for name in state)


def test_one_step_moves_every_parameter(student: Student) -> None:
    """None is dead: left out of the answer, or behind a unit that never fires."""
    network = made(student.config, student.shape).train()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    labels = torch.arange(len(student.inputs)) % CLASSES
    nn.functional.cross_entropy(network(student.inputs), labels).backward()
    optimizer.step()
    still = [name for name, value in network.named_parameters() if torch.equal(value, before[name])]
    assert still == []


def test_weights_saved_are_weights_loaded(student: Student, tmp_path: Any) -> None:
    write_tensors(tmp_path / "student.safetensors", student.network.state_dict())
    fresh = made(student.config, student.shape, seed=1)
    expected = answer(student.network, student.inputs)
    assert not torch.equal(answer(fresh, student.inputs), expected)
    load_weights(fresh, read_tensors(tmp_path / "student.safetensors"), "file")
    assert torch.equal(answer(fresh, student.inputs), expected)


def test_an_answer_does_not_depend_on_the_rest_of_the_batch(student: Student) -> None:
    together = answer(student.network, student.inputs)
    alone = torch.cat([answer(student.network, each[None]) for each in student.inputs])
    turned = answer(student.network, student.inputs.flip(0)).flip(0)
    for other in (alone, turned):
        torch.testing.assert_close(other, together, rtol=1e-5, atol=1e-5)


def test_preprocessing_travels_with_the_weights(student: Student, tmp_path: Any) -> None:
    one, other = (
        config_of(
            student.option, f"student.preprocessing.mean={m}", f"student.preprocessing.std={s}"
        )
        for m, s in ((0.3, 0.7), (0.1, 0.9))
    )
    source, target = made(one, student.shape), made(other, student.shape)
    expected = answer(source, student.inputs)
    target.model.load_state_dict(source.model.state_dict())
    assert not torch.allclose(answer(target, student.inputs), expected)
    write_tensors(tmp_path / "student.safetensors", source.state_dict())
    load_weights(target, read_tensors(tmp_path / "student.safetensors"), "file")
    assert torch.equal(answer(target, student.inputs), expected)
