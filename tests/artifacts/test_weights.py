"""Weights from other people's files: every common wrapping is read, nothing in them runs."""

import io
import pickle
import random
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors, write_text
from kdistill.artifacts.weights import load_weights, read_weights, student_config
from kdistill.errors import UserError
from kdistill.models.network import Network
from kdistill.models.preprocessing import Pixels
from kdistill.models.torchvision_model import TorchvisionClassifier


def network(mean: float = 0.0, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(Pixels(mean=mean), nn.Linear(4, 3))


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {"lr": 0.1}},
}


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_common_wrapping_is_read(wrapping: str, suffix: str, tmp_path: Path) -> None:
    state = network().state_dict()
    path = tmp_path / f"weights{suffix}"
    torch.save(WRAPPINGS[wrapping](state), path)
    assert same(read_weights(path), state)


def test_names_may_lack_the_leading_model() -> None:
    source = network(mean=0.5, seed=1)
    for state in (source.state_dict(), source.model.state_dict()):
        filled = network(mean=0.5, seed=2)
        load_weights(filled, state, "file")
        assert same(filled.state_dict(), source.state_dict())


def test_names_of_torchvision_and_of_parallel_wrappers_fit() -> None:
    made = [Network.wrap(TorchvisionClassifier("squeezenet1_1", 3)) for _ in range(3)]
    for filled, start in zip(made[1:], ("", "module."), strict=True):
        own = made[0].model.network.state_dict()
        load_weights(filled, {start + name: value for name, value in own.items()}, "file")
        assert same(filled.state_dict(), made[0].state_dict())


def test_a_part_that_is_called_module_keeps_its_name() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(4, 3)

    source, filled = Wrapped(), Network.wrap(Wrapped())
    load_weights(filled, source.state_dict(), "file")
    assert same(filled.model.state_dict(), source.state_dict())


def test_weights_without_preprocessing_keep_that_of_the_config() -> None:
    filled = network(mean=0.25, seed=2)
    load_weights(filled, network(mean=0.5, seed=1).model.state_dict(), "file")
    assert filled.preprocessing.mean == 0.25


def refused(state: Mapping[str, Tensor]) -> str:
    filled = network(seed=2)
    before = {name: value.clone() for name, value in filled.state_dict().items()}
    with pytest.raises(UserError) as told:
        load_weights(filled, state, "some.pt")
    assert same(before, filled.state_dict())  # not half filled
    assert "\n" not in str(told.value)
    return str(told.value)


def test_what_does_not_fit_is_named() -> None:
    state = network().state_dict()
    wide = {**state, "model.weight": torch.zeros(3, 5)}
    said = "some.pt: does not fit the model: "
    assert refused(wide) == f"{said}'model.weight' is [3, 5] in the file, [3, 4] in the model"
    alone = {"model.weight": state["model.weight"]}
    assert refused(alone) == f"{said}the file has no 'model.bias'"
    assert refused({**state, "head": torch.zeros(1)}) == f"{said}the model has no 'head'"
    assert refused({}) == f"{said}the file has no 'model.weight'"
    assert refused({"other": torch.zeros(1)}) == f"{said}the file has no 'model.weight'"


def test_numbers_of_another_kind_are_refused() -> None:
    state = network().state_dict()
    weight = state["model.weight"]
    for other in (weight.int(), weight > 0, weight.cfloat()):
        kind = str(other.dtype).removeprefix("torch.")
        said = refused({**state, "model.weight": other})
        assert said.endswith(f"'model.weight' is {kind} in the file, float32 in the model")
    load_weights(network(), {**state, "model.weight": weight.half()}, "file")


def test_only_what_is_no_parameter_may_be_infinite() -> None:
    state = network().state_dict()
    for value in (float("nan"), float("inf")):
        spoilt = state["model.bias"].clone()
        spoilt[1] = value
        assert refused({**state, "model.bias": spoilt}).endswith(
            "'model.bias' holds NaN or infinity"
        )
    masked = network()
    masked.model.register_buffer("mask", torch.zeros(2))
    infinite = torch.tensor([0.0, -torch.inf])
    load_weights(masked, {**state, "model.mask": infinite}, "file")
    assert torch.equal(masked.model.mask, infinite)


ODD = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "quantised": lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.quint8),
    "without values": lambda: torch.zeros(3, device="meta"),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
}


@pytest.mark.filterwarnings("ignore")  # torch's own, of what it will drop
@pytest.mark.parametrize("kind", ODD)
def test_tensors_of_an_odd_kind_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    torch.save({"good": torch.zeros(1), "odd": ODD[kind]()}, tmp_path / "weights.pt")
    with pytest.raises(
        UserError, match=rf"weights\.pt: ('odd' is {kind}; save plain|not a readable)"
    ):
        read_weights(tmp_path / "weights.pt")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("how", ["torch", "torch_old", "pickle"])
def test_code_in_place_of_weights_does_not_run(how: str, protocol: int, tmp_path: Path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "weights.pt"
    content = {"weight": torch.zeros(2), "bias": Trap(sprung)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content["bias"], protocol))
        pickle.loads(path.read_bytes())
    else:
        new = how == "torch"
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
        torch.load(path, weights_only=False)
    assert sprung.exists()  # the trap works
    sprung.unlink()
    with pytest.raises(UserError, match=r"weights\.pt: not a readable file of plain weights") as e:
        read_weights(path)
    assert not sprung.exists()
    assert "\n" not in str(e.value)


def test_a_whole_module_is_refused_with_the_remedy(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
        read_weights(tmp_path / "weights.pt")


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(2), {"a": 1}, {1: torch.zeros(2)}])
def test_other_content_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"weights\.pt: does not hold a state_dict"):
        read_weights(tmp_path / "weights.pt")


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old"])
def test_files_cut_or_altered_anywhere_never_crash(new: bool, tmp_path: Path) -> None:
    file, path = io.BytesIO(), tmp_path / "weights.pt"
    torch.save(network().state_dict(), file, _use_new_zipfile_serialization=new)
    whole = file.getvalue()
    for length in range(0, len(whole), 1 + len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"weights\.pt: ") as told:
            read_weights(path)
        assert "\n" not in str(told.value)
    chance = random.Random(0)
    for _ in range(60):
        altered = bytearray(whole)
        for _ in range(3):
            altered[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(altered)
        with suppress(UserError):
            read_weights(path)  # a changed weight is still a weight


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "runs/mine"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{name}: no such file"):
        student_config(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: no such file"):
        read_weights(tmp_path / name)


STUDENT = "model: {_target_: torch.nn.Linear}\ninput_shape: [4]\nclasses: [a, b, c]\n"


def test_a_run_folder_gives_its_students_weights_and_config(tmp_path: Path) -> None:
    state = network().state_dict()
    write_tensors(tmp_path / "student.safetensors", state)
    write_text(tmp_path / "student.yaml", STUDENT)
    assert same(read_weights(tmp_path), state)
    assert student_config(tmp_path) == {"_target_": "torch.nn.Linear"}
    assert student_config(tmp_path / "student.safetensors") is None
    shutil.copy(tmp_path / "student.safetensors", tmp_path / "other.safetensors")
    assert same(read_weights(tmp_path / "other.safetensors"), state)


def test_a_folder_without_a_students_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no student\.yaml; give"):
        student_config(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", "model: {", "model: {}\n", "\0"])
def test_a_damaged_student_yaml_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "student.yaml").write_text(content)
    with pytest.raises(UserError, match=r"student\.yaml: damaged") as told:
        student_config(tmp_path)
    assert "\n" not in str(told.value)
