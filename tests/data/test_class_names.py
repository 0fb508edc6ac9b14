"""Classes counted in labels: no count is believed that no data of that size can have."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill.data.class_names import FEW, MOST, class_names, counted
from kdistill.data.tensors import TensorFile, from_tensors
from kdistill.errors import UserError

LABELS = np.arange(60) % 3


def written(folder: Path, labels: np.ndarray) -> TensorFile:
    inputs = np.random.default_rng(0).random((60, 6), np.float32)
    np.savez(
        folder / "x.npz",
        train_inputs=inputs,
        train_labels=labels,
        test_inputs=inputs,
        test_labels=LABELS,
    )
    return TensorFile(str(folder / "x.npz"), None, 0, 0)


@pytest.mark.parametrize("kind", ["<i8", ">i4", "<u8", "<u4"])
@pytest.mark.parametrize("label", [10**8, 2**31 - 1, 255, 2 * FEW])
def test_one_label_beyond_the_others_is_named(label: int, kind: str, tmp_path: Path) -> None:
    labels = LABELS.astype(kind)
    labels[7] = label
    said = (
        rf"x\.npz: train_labels\[7\] is {label}, and of {label + 1} classes only 4 would have an "
        r"example; mend the labels, or say how many classes there are with dataset\.classes$"
    )
    for ask in (written(tmp_path, labels).plan, written(tmp_path, labels).load):
        with pytest.raises(UserError, match=said):
            ask()


def test_a_label_beyond_64_bits_is_named(tmp_path: Path) -> None:
    labels = LABELS.astype("u8")
    labels[7] = 2**64 - 2
    with pytest.raises(UserError, match=r"train_labels\[7\] is 18446744073709551614; labels are"):
        written(tmp_path, labels).plan()


@pytest.mark.parametrize("ids", [np.arange(60), np.arange(60)[::-1] + 1, np.arange(60) + 10**6])
def test_a_column_of_ids_is_refused(ids: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"train_labels\[\d+\] is \d+, and (all 60 labels differ|of)"
    ):
        written(tmp_path, ids).plan()


def test_what_a_trial_may_have_goes_on(tmp_path: Path) -> None:
    assert counted("labels", torch.tensor([0, FEW - 1]), []) == FEW
    assert counted("labels", torch.arange(100).repeat(2), []) == 100
    assert counted("labels", torch.arange(0, 100, 2).repeat(2), [torch.arange(100)]) == 99
    assert len(class_names(1000, 2)) == 1000
    assert len(class_names(MOST, 2)) == MOST
    assert class_names(["a", "b"], 1) == ("a", "b")
    inputs = torch.zeros(3, 2)
    data = from_tensors(
        (inputs, torch.tensor([0, 1, 999])), (inputs, torch.zeros(3).long()), None, 1000
    )
    assert len(data.classes) == 1000


def test_more_classes_than_there_can_be_are_not_named() -> None:
    with pytest.raises(UserError, match="100000000 are more than 120 examples can have"):
        class_names(10**8, 120)
