"""The arrays of a run folder: those of a run are read, and every other is refused by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kdistill.artifacts.run_arrays import (
    MOST,
    read_densities,
    read_gallery,
    read_predictions,
    read_samples,
)
from kdistill.errors import UserError

Tensors = dict[str, Tensor]
PREDICTIONS = {
    "index": torch.arange(20),
    "labels": torch.arange(20) % 3,
    "teacher": torch.rand(20, 3).softmax(1),
    "student": torch.rand(20, 3).softmax(1),
}
GALLERY = {"inputs": torch.zeros(4, 1, 8, 8, dtype=torch.uint8), "row": torch.arange(4) + 16}
DENSITIES = {"index": torch.arange(20), "student": -torch.rand(20).double()}
SAMPLES = {"student": torch.zeros(5, 1, 8, 8, dtype=torch.uint8)}
KINDS: dict[str, tuple[Tensors, Callable[[Path], Tensors]]] = {
    "predictions": (PREDICTIONS, read_predictions),
    "gallery": (GALLERY, lambda file: read_gallery(file, 20)),
    "densities": (DENSITIES, read_densities),
    "samples": (SAMPLES, read_samples),
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
    # one input or one sample is as good as any, and so is one without an index
    if not (kind == "samples" and (other is None or (other.dtype == torch.uint8 and len(other))))
    and not (kind == "gallery" and name == "inputs" and other is not None and other.ndim == 3)
    and not (name in ("teacher", "student") and other is None)
] + [
    ("predictions", {**PREDICTIONS, "labels": PREDICTIONS["labels"] + 1}),
    ("predictions", {**PREDICTIONS, "labels": PREDICTIONS["labels"] - 1}),
    ("predictions", {**PREDICTIONS, "student": PREDICTIONS["student"] - 0.5}),
    ("predictions", {**PREDICTIONS, "student": PREDICTIONS["student"] * 10}),
    ("predictions", {**PREDICTIONS, "student": torch.ones(20, 1)}),
    ("predictions", {**PREDICTIONS, "student": torch.ones(20, 4) / 4}),
    ("gallery", {**GALLERY, "row": GALLERY["row"] + 1}),
    ("gallery", {**GALLERY, "row": -GALLERY["row"]}),
    ("gallery", {"inputs": torch.zeros(MOST + 1, 1), "row": torch.zeros(MOST + 1).long()}),
    ("gallery", {**GALLERY, "inputs": torch.full((4, 1, 2, 2), float("nan"))}),
    ("samples", {"student": torch.zeros(MOST + 1, 4, dtype=torch.uint8)}),
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
