"""The arrays of a run folder: those of a run are read, and every other is refused by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kdistill.artifacts.figures import Case, Cases, Picture, Shown
from kdistill.artifacts.run_arrays import (
    MOST,
    read_answers,
    read_pictures,
    read_predictions,
)
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError

Tensors = dict[str, Tensor]
PREDICTIONS = {
    "index": torch.arange(20),
    "labels": torch.arange(20) % 3,
    "teacher": torch.rand(20, 3).softmax(1),
    "student": torch.rand(20, 3).softmax(1),
}
GALLERY = {"inputs": torch.zeros(4, 1, 8, 8, dtype=torch.uint8)}
ANSWERS = {
    "index": torch.arange(20),
    "target": torch.arange(20) % 3,
    "student.error": torch.ones(20),
    "student.answer": torch.arange(20) % 2,
    "student.confidence": torch.rand(20),
}


def pictures(file: Path, rows: list[int]) -> Tensors:
    """What is read of a result that shows `rows` of inputs in `file`."""
    case = Case("a", Shown(Picture(file.stem, "inputs", rows)))
    found = read_pictures(RunFolder(file.parent), [Cases("b", [case, case])])
    return {tensor: each for (_, tensor), each in found.items()}


KINDS: dict[str, tuple[Tensors, Callable[[Path], Tensors]]] = {
    "predictions": (PREDICTIONS, read_predictions),
    "gallery": (GALLERY, lambda file: pictures(file, [0, 3])),
    "cases": (ANSWERS, read_answers),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_writes_is_read(kind: str, tmp_path: Path) -> None:
    tensors, read = KINDS[kind]
    assert read(tmp_path / "none.safetensors") == {}
    save_file(tensors, tmp_path / "x.safetensors")
    found = read(tmp_path / "x.safetensors")
    assert found
    assert all(torch.equal(each, tensors[name]) for name, each in found.items())


def odd(tensor: Tensor) -> Iterator[Tensor | None]:
    """Every other kind and shape of `tensor`; None: it is missing."""
    yield from (tensor[0], tensor[None], tensor.flatten()[:0], torch.cat([tensor, tensor]))
    for kind in (torch.bool, torch.complex64, torch.int8, torch.uint16, torch.float8_e5m2):
        yield torch.zeros_like(tensor, dtype=kind)
    yield from (torch.zeros(0, 2**40, dtype=tensor.dtype), torch.zeros(1, 10**6), None)


def values(tensor: Tensor) -> Iterator[Tensor]:
    """What a float must not be."""
    for value in (float("nan"), float("inf"), -float("inf")):
        changed = tensor.clone()
        changed.flatten()[-1] = value
        yield changed


BROKEN = [
    (kind, {**tensors, name: other})
    for kind, (tensors, _) in KINDS.items()
    for name, tensor in tensors.items()
    for other in (*odd(tensor), *(values(tensor) if tensor.is_floating_point() else ()))
    # as many pictures of any shape are as good
    if not (
        name == "inputs" and other is not None and len(other) > 3 and other.dtype == tensor.dtype
    )
    and not (name in ("teacher", "student") and other is None)
] + [
    ("predictions", {**PREDICTIONS, "labels": PREDICTIONS["labels"] + 1}),
    ("predictions", {**PREDICTIONS, "labels": PREDICTIONS["labels"] - 1}),
    ("predictions", {**PREDICTIONS, "student": PREDICTIONS["student"] - 0.5}),
    ("predictions", {**PREDICTIONS, "student": PREDICTIONS["student"] * 10}),
    ("predictions", {**PREDICTIONS, "student": torch.ones(20, 1)}),
    ("predictions", {**PREDICTIONS, "student": torch.ones(20, 4) / 4}),
    ("gallery", {"inputs": torch.full((4, 1, 2, 2), float("nan"))}),
    ("cases", {**ANSWERS, "target": torch.rand(20)}),
    ("cases", {**ANSWERS, "teacher.error": torch.ones(20)}),
    ("cases", {**ANSWERS, "more": torch.ones(20)}),
]


@pytest.mark.parametrize(("kind", "tensors"), BROKEN)
def test_what_no_run_writes_is_refused_by_name(
    kind: str, tensors: dict[str, Tensor | None], tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.safetensors"
    save_file({n: each.contiguous() for n, each in tensors.items() if each is not None}, path)
    with pytest.raises(UserError) as told:
        KINDS[kind][1](path)
    assert str(told.value).startswith(f"{path}: damaged; ")
    assert "\n" not in str(told.value)


def test_answers_may_be_numbers(tmp_path: Path) -> None:
    numbers = {"target": torch.rand(20), "student.answer": torch.rand(20).double()}
    save_file({**ANSWERS, **numbers}, tmp_path / "cases.safetensors")
    with pytest.raises(UserError, match="holds other"):
        read_answers(tmp_path / "cases.safetensors")
    save_file(
        {**ANSWERS, **numbers, "student.answer": torch.rand(20)}, tmp_path / "cases.safetensors"
    )
    assert read_answers(tmp_path / "cases.safetensors").keys() == ANSWERS.keys()


@pytest.mark.parametrize("rows", [[4], [-1], [0] * (MOST + 1)])
def test_rows_that_are_not_there_are_refused(rows: list[int], tmp_path: Path) -> None:
    save_file(GALLERY, tmp_path / "gallery.safetensors")
    with pytest.raises(UserError, match="gallery.safetensors: damaged; "):
        pictures(tmp_path / "gallery.safetensors", rows)
