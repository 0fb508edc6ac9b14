"""Unlabelled inputs from a file: what is read, how it is named, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdistill.artifacts.files import write_tensors
from kdistill.data.arrays import check_bits
from kdistill.data.tensors import from_tensors
from kdistill.data.unlabelled import Unlabelled
from kdistill.errors import UserError

PICTURES = torch.zeros(4, 1, 6, 5, dtype=torch.uint8)
DATASET = from_tensors((PICTURES, torch.arange(4)), (PICTURES, torch.arange(4)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """40 pictures, each of one value: its place."""
    path = tmp_path / "mine.npz"
    np.savez(path, inputs=np.broadcast_to(np.arange(40, dtype=np.uint8), (5, 6, 1, 40)).T)
    return path


def test_inputs_are_those_of_the_file_in_its_order(file: Path) -> None:
    few, whole = (Unlabelled(str(file), size=size) for size in (10, None))
    examples = few.examples(DATASET)
    assert isinstance(examples.inputs, torch.Tensor)
    assert examples.inputs[:, 0, 0, 0].tolist() == list(range(10))
    assert examples.targets is None
    assert (few.count(DATASET), whole.count(DATASET)) == (10, 40)


def test_answers_are_kept_by_what_the_inputs_are(file: Path, tmp_path: Path) -> None:
    def origin(path: Path) -> str:
        return Unlabelled(str(path)).examples(DATASET).origin

    same, other = tmp_path / "same.safetensors", tmp_path / "other.safetensors"
    inputs = torch.arange(40, dtype=torch.uint8).view(-1, 1, 1, 1).expand(40, 1, 6, 5)
    write_tensors(same, {"inputs": inputs})
    write_tensors(other, {"inputs": inputs + 1})
    assert origin(file) == origin(same) != origin(other)
    few = Unlabelled(str(file), size=10).examples(DATASET)
    assert few.origin == origin(file)  # answers about the first ten serve all


def test_an_epoch_goes_through_a_small_set_again_and_again(file: Path) -> None:
    transfer = Unlabelled(str(file), size=10, epoch_size=100)
    stream = transfer.stream(DATASET, 5, 0, torch.device("cpu"))
    assert len(stream) == 20
    seen = torch.cat([next(stream).inputs[:, 0, 0, 0] for _ in range(2)])
    assert sorted(seen.tolist()) == list(range(10))


@pytest.mark.parametrize(
    ("arrays", "keys", "message"),
    [
        ({"images": PICTURES}, {}, "no array inputs in it; it holds images"),
        ({"inputs": PICTURES.view(4, 5, 6)}, {}, r"inputs are \[5, 6\] each, and those of tensors"),
        ({"inputs": PICTURES + float("nan")}, {}, r"inputs\[0\] holds NaN or infinity"),
        ({"inputs": PICTURES}, {"size": 5}, "transfer.size must be <= 4 here, got 5"),
    ],
)
def test_what_is_wrong_is_said(
    arrays: dict[str, Any], keys: dict[str, int], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        Unlabelled(str(tmp_path / "a.npz"), **keys).check(DATASET)


@pytest.mark.parametrize("name", ["mine.csv", "absent.npz", "absent.safetensors"])
def test_a_file_that_is_none_of_ours_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=name):
        Unlabelled(str(tmp_path / name)).check(DATASET)


@pytest.mark.parametrize("value", [2.0, 0.5, float("nan"), -1.0])
def test_bits_are_0_and_1(value: float) -> None:
    check_bits(torch.tensor([0.0, 1.0]), "bits")
    check_bits(torch.tensor([0, 255], dtype=torch.uint8), "bits")
    with pytest.raises(UserError, match="bits of a density must be 0 and 1"):
        check_bits(torch.tensor([0.0, value]), "bits")
