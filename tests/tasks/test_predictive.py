"""What is measured of each model, on which part, and which inputs are kept for the report."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.result import ModelResult
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Dataset
from kdistill.data.tensors import from_tensors
from kdistill.errors import UserError
from kdistill.tasks.classification import Classification
from kdistill.tasks.task import Bench

CLASSES = 3
Judged = Callable[..., dict[str, ModelResult | None]]
Measured = Callable[[Dataset], dict[str, ModelResult | None]]


class Fixed(nn.Module):
    """Answers with the inputs themselves, times a number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scale * inputs


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path)
    for file in (folder.student, folder.baseline):
        file.write_bytes(bytes(10))
    return folder


def part(n: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, CLASSES, generator=generator)
    return inputs, torch.randint(CLASSES, (n,), generator=generator)


@pytest.fixture
def judged(bench: Callable[..., Bench], folder: RunFolder) -> Judged:
    """Models of a run by their figures."""

    def judge(networks: dict[str, nn.Module], dataset: Dataset) -> dict[str, ModelResult | None]:
        task = Classification()
        task.bind(dataset, "teacher" in networks)
        return task.judge(bench(networks, dataset, folder)).models

    return judge


@pytest.fixture
def measured(judged: Judged) -> Callable[[Dataset], dict[str, ModelResult | None]]:
    networks = {"teacher": Fixed(2.0), "student": Fixed(1.0), "baseline": Fixed(-1.0)}
    return lambda dataset: judged(networks, dataset)


def test_every_model_is_measured_on_the_validation_part_too(
    judged: Judged, measured: Measured, folder: RunFolder
) -> None:
    validation = part(20, 2)
    dataset = from_tensors(part(30, 1), part(40, 3), validation, CLASSES, "made")
    models = measured(dataset)
    expected = Classification().figures(validation[0], validation[1], 2 * validation[0])
    student, teacher = models["student"], models["teacher"]
    assert student is not None
    assert teacher is not None
    assert student.validation["errors"] == expected["errors"]
    kl = student.validation["kl_to_teacher"].value
    assert kl == pytest.approx(expected["kl_to_teacher"].value, rel=1e-5)
    assert student.measures["errors"].n == 40
    assert student.validation["errors"].n == 20
    assert "kl_to_teacher" not in teacher.validation


def test_without_a_validation_part_nothing_is_said_of_it(
    judged: Judged, measured: Measured, folder: RunFolder
) -> None:
    dataset = from_tensors(part(30, 1), part(40, 3), None, CLASSES, "made")
    assert [model.validation for model in measured(dataset).values() if model] == [{}] * 3


def test_the_gallery_holds_the_inputs_of_the_largest_divergence(
    judged: Judged, measured: Measured, folder: RunFolder
) -> None:
    test = part(40, 3)
    measured(from_tensors(part(30, 1), test, None, CLASSES, "made"))
    kept, said = read_tensors(folder.kept("gallery")), read_tensors(folder.kept("predictions"))
    each = (said["teacher"] * (said["teacher"] / said["student"]).log()).sum(1)
    assert kept["row"].tolist() == each.argsort(descending=True)[:8].tolist()
    assert torch.equal(kept["inputs"], test[0][kept["row"]])


def test_nan_on_validation_data_is_told(
    judged: Judged, measured: Measured, folder: RunFolder
) -> None:
    broken = part(20, 2)
    broken[0][3] = 1e30
    dataset = from_tensors(part(30, 1), part(40, 3), broken, CLASSES, "made")
    with pytest.raises(UserError, match="student: its answers about the validation set are NaN"):
        judged({"student": Overflowing()}, dataset)


class Overflowing(nn.Module):
    """NaN for large inputs only."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * inputs - inputs * inputs * 0.5 * 2 + inputs
