"""A user's own arrays: read as they are, and each mistake in one line that names the array."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kdistill.data.spec import Array
from kdistill.data.tensors import TensorFile, from_tensors
from kdistill.errors import UserError

Arrays = dict[str, Any]


def _arrays(**changed: Any) -> Arrays:
    """20 training and 6 test rows of 3 x 2 numbers in 4 classes; None leaves an array out."""
    random = np.random.default_rng(0)
    arrays: Arrays = {
        "train_inputs": random.normal(size=(20, 3, 2)).astype(np.float32),
        "train_labels": np.arange(20) % 4,
        "test_inputs": random.normal(size=(6, 3, 2)).astype(np.float32),
        "test_labels": np.arange(6) % 4,
        **changed,
    }
    return {name: value for name, value in arrays.items() if value is not None}


def _file(folder: Path, arrays: Arrays, kind: str = "npz") -> Path:
    path = folder / f"mine.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        save_file({name: torch.from_numpy(value) for name, value in arrays.items()}, path)
    return path


def _source(path: Path, classes: Any = None, validation: float = 0.1) -> TensorFile:
    return TensorFile(str(path), classes, validation, 0)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_arrays_arrive_as_they_are(tmp_path: Path, kind: str) -> None:
    arrays = _arrays()
    source = _source(_file(tmp_path, arrays, kind))
    dataset, plan = source.load(), source.plan()
    assert (dataset.name, dataset.source) == ("mine", "files")
    assert dataset.classes == plan.classes == ("0", "1", "2", "3")
    assert dataset.inputs == plan.inputs == Array((3, 2))
    assert (plan.train, plan.validation, plan.test, plan.bytes) == (18, 2, 6, 26 * 24)
    for part in (dataset.train, dataset.validation):
        assert torch.equal(part.inputs, torch.from_numpy(arrays["train_inputs"])[part.index])  # type: ignore[arg-type]
        assert torch.equal(part.targets, part.index % 4)  # type: ignore[arg-type]
    assert torch.equal(dataset.test.inputs, torch.from_numpy(arrays["test_inputs"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("uint8", torch.uint8),
        ("float16", torch.float32),
        ("float64", torch.float32),
        (">f4", torch.float32),
    ],
)
def test_inputs_are_bytes_or_float32(tmp_path: Path, given: str, kept: torch.dtype) -> None:
    values = np.arange(24).reshape(4, 6)
    arrays = {"inputs": values.astype(given), "labels": np.array([0, 1, 1, 0], dtype=">i2")}
    both = {f"{part}_{name}": one for part in ("train", "test") for name, one in arrays.items()}
    dataset = _source(_file(tmp_path, both), validation=0).load()
    assert isinstance(dataset.train.inputs, Tensor)
    assert dataset.train.inputs.dtype == kept
    assert dataset.train.inputs.tolist() == values.tolist()
    assert dataset.train.targets.tolist() == [0, 1, 1, 0]  # type: ignore[union-attr]


def test_own_validation_arrays_replace_the_split(tmp_path: Path) -> None:
    extra = {
        "validation_inputs": np.ones((5, 3, 2), np.float32),
        "validation_labels": np.ones(5, int),
    }
    source = _source(_file(tmp_path, _arrays(**extra)))
    dataset, plan = source.load(), source.plan()
    assert (len(dataset.train), len(dataset.validation)) == (20, 5) == (plan.train, plan.validation)
    assert dataset.validation.inputs.min() == 1  # type: ignore[union-attr]


def test_training_data_may_be_unlabelled(tmp_path: Path) -> None:
    path = _file(tmp_path, _arrays(train_labels=None))
    dataset = _source(path, classes=["a", "b", "c", "d"]).load()
    assert dataset.train.targets is None
    assert dataset.classes == ("a", "b", "c", "d")
    with pytest.raises(UserError, match="dataset.classes must be given"):
        _source(path).load()


NAN = _arrays()["train_inputs"].copy()
NAN[7, 1, 0] = np.nan
HUGE = _arrays()["test_inputs"].astype(np.float64)
HUGE[2, 0, 0] = 1e300
LABELS = np.arange(20) % 4


@pytest.mark.parametrize(
    ("changed", "classes", "says"),
    [
        ({"test_labels": None}, None, r"no array test_labels in it; it holds test_inputs, train_"),
        ({"train_inputs": None}, None, r"no array train_inputs in it"),
        ({"train_inputs": NAN}, None, r"train_inputs\[7\] holds NaN or infinity"),
        ({"test_inputs": HUGE}, None, r"test_inputs\[2\] holds NaN or infinity"),
        ({"train_inputs": np.zeros((20, 6), int)}, None, r"must be uint8 or floating, it is int64"),
        (
            {"train_inputs": np.zeros(20)},
            None,
            r"train_inputs must be \[n, ...\] .*shape is \[20\]",
        ),
        ({"train_inputs": np.zeros((0, 6))}, None, r"not empty, its shape is \[0, 6\]"),
        ({"train_inputs": np.full((20, 3), "a")}, None, r"train_inputs must be numbers"),
        ({"test_inputs": np.zeros((6, 5))}, None, r"test_inputs are float32 \[5\], but train_inp"),
        (
            {"test_inputs": np.zeros((6, 3, 2), np.uint8)},
            None,
            r"test_inputs are uint8 \[3, 2\], b",
        ),
        ({"train_labels": LABELS / 2}, None, r"train_labels must be integers, they are float64"),
        ({"train_labels": LABELS[:19]}, None, r"train_labels must have the shape \[20\].* \[19\]"),
        ({"train_labels": LABELS[:, None]}, None, r"must have the shape \[20\].* \[20, 1\]"),
        ({"train_labels": LABELS - 1}, None, r"train_labels\[0\] is -1; labels are >= 0"),
        ({"train_labels": LABELS * 0}, None, r"two or more classes are needed, got 1"),
        ({"test_labels": np.arange(6)}, None, r"test_labels\[4\] is 4, but 4 classes \(counted in"),
        ({"train_labels": LABELS + 7}, 10, r"train_labels\[3\] is 10, but 10 classes .*allow 0..9"),
        ({}, ["a", "b", "c", "a"], r"the names must differ"),
    ],
)
def test_each_mistake_is_one_line_that_names_it(
    tmp_path: Path, changed: Arrays, classes: Any, says: str
) -> None:
    source = _source(_file(tmp_path, _arrays(**changed)), classes)
    for ask in (source.load, source.plan):
        with pytest.raises(UserError, match=says) as caught:
            ask()
        assert "\n" not in str(caught.value)
        if "names" not in says and "two or more" not in says:
            assert "mine.npz" in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing.npz: no such file"):
        _source(tmp_path / "nothing.npz").load()
    with pytest.raises(UserError, match=r"must end in .npz or .safetensors"):
        _source(tmp_path / "mine.csv").load()
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match=r"text.npz: not a readable .npz file"):
        _source(tmp_path / "text.npz").load()
    whole = _file(tmp_path, _arrays())
    whole.write_bytes(whole.read_bytes()[:300])
    with pytest.raises(UserError, match=r"mine.npz: not a readable .npz file"):
        _source(whole).load()
    (tmp_path / "bad.safetensors").write_bytes(b"12345678901")
    with pytest.raises(UserError, match=r"bad.safetensors: not a readable"):
        _source(tmp_path / "bad.safetensors").load()


def test_pickled_arrays_are_never_opened(tmp_path: Path) -> None:
    evil = np.array([print, 1], dtype=object)
    path = _file(tmp_path, _arrays(train_inputs=evil))
    with pytest.raises(UserError, match=r"mine.npz: not a readable .npz file"):
        _source(path).load()


def test_the_library_door_takes_pairs() -> None:
    arrays = _arrays()
    train = torch.from_numpy(arrays["train_inputs"]), torch.from_numpy(arrays["train_labels"])
    test = arrays["test_inputs"], arrays["test_labels"]
    dataset = from_tensors(train, test, name="mine")
    assert (dataset.name, dataset.source, len(dataset.validation)) == ("mine", "memory", 0)
    assert torch.equal(dataset.train.inputs, train[0])  # type: ignore[arg-type]
    assert len(from_tensors(train, test, validation=0.25).validation) == 5
    assert len(from_tensors(train, test, validation=test).validation) == 6
    assert from_tensors((train[0], None), test, classes=4).train.targets is None
    with pytest.raises(UserError, match=r"^test_labels\[3\] is 3, but 3 classes \(dataset.classes"):
        from_tensors((train[0], None), test, classes=3)


def test_without_training_arrays_the_test_arrays_say_what_inputs_are() -> None:
    arrays = _arrays()
    dataset = from_tensors(None, (arrays["test_inputs"], arrays["test_labels"]))
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (0, 0, 6)
    assert dataset.inputs == Array((3, 2))
    assert dataset.classes == ("0", "1", "2", "3")
