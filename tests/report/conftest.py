"""A run folder as a finished ensemble run leaves it, with made-up answers."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.artifacts.files import write_tensors, write_text
from kdistill.artifacts.result import Cost, Gain, Measure, ModelResult, Result, Table
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.write import write_report
from kdistill.tasks.shown.cases import disagreements, shown
from kdistill.tasks.shown.confusion import confusion_matrices
from kdistill.tasks.shown.reliability import reliability_curves
from kdistill.tasks.shown.softness import softness_curves

CASES, CLASSES = 10_000, 10
CONFIG = """\
name: mnist_ensemble
seed: 3
dataset: {_target_: kdistill.data.mnist.Mnist, source: bundled, path: "${oc.env:HOME}/mnist"}
teacher:
  _target_: kdistill.teachers.ensemble.Ensemble
  members: 5
  model: {_target_: kdistill.models.mlp.Mlp, widths: [1200, 1200], dropout: 0.5}
loss:
  _target_: kdistill.losses.mixture.Mixture
  parts:
    - {_target_: kdistill.losses.soft_targets.SoftTargets, temperature: 8.0, hard_weight: 0.1}
fit:
  _recursive_: false
  epochs: 20
  batch: 128
  optimizer: {_target_: torch.optim.SGD, lr: 0.1, nesterov: true}
"""


def measures(errors: int, nll: float, student: bool = False) -> dict[str, Measure]:
    rate = errors / CASES
    found = {
        "accuracy": Measure(1 - rate, CASES, (0.99 - rate, 1 - rate / 2), "fraction", "higher"),
        "errors": Measure(errors, CASES, (errors - 17.4, errors + 19.8), "count", "lower"),
        "nll": Measure(nll, CASES, (nll * 0.9, nll * 1.1), "nats", "lower"),
        "brier": Measure(
            rate * 1.5, CASES, (rate * 1.4, rate * 1.6), "score", "lower", "Brier score"
        ),
        "ece": Measure(0.0042, CASES, None, "fraction", "lower"),
    }
    if student:
        found["agreement"] = Measure(0.9911, CASES, (0.989, 0.9928), "fraction", "higher")
        ends = 0.0117, 0.013
        found["kl_to_teacher"] = Measure(0.01234, CASES, ends, "nats", "lower", "KL to teacher")
    return found


def model(errors: int, nll: float, parameters: int, student: bool = False) -> ModelResult:
    latency = {"1": parameters / 8e6, "256": parameters / 3e5}
    cost = Cost(parameters, 4 * parameters + 1024, parameters - 2010, latency, "2 threads, cpu")
    return ModelResult(measures(errors, nll, student), cost)


@pytest.fixture
def result() -> Result:
    return made_result()


def made_result() -> Result:
    """The student closes 84 % of the gap."""
    teacher = model(71, 0.0241, 11_965_050)
    members = [model(90 + 3 * k, 0.031, 2_393_010) for k in range(5)]
    digits = [str(digit) for digit in range(CLASSES)]
    student = model(84, 0.0284, 1_276_810, student=True)
    return Result(
        experiment="mnist_ensemble",
        seed=3,
        config_hash="0123456789abcdef",
        main="errors",
        seconds={"teacher": 512.3, "signals": 3.21, "student": 98.0, "total": 4000.0},
        dataset={
            "name": "mnist",
            "source": "bundled",
            "train": 3500,
            "validation": 500,
            "test": CASES,
            "fingerprint": "feedfacecafebeef",
            "classes": digits,
            "note": "5,000 training digits of MNIST: compare nothing with the papers.",
        },
        models={
            "teacher": replace(teacher, members=members),
            "student": student,
            "baseline": model(151, 0.0523, 1_276_810),
        },
        compression={"parameters": 9.371, "bytes": 9.37, "multiply_adds": 9.38, "latency": 6.06},
        gain=Gain(67 / 80, 2.4e-6, "McNemar", ["errors", "accuracy"]),
        second="nll",
        signals={"mode": "stored", "asked": 3500, "reused": 0, "teacher": "abad1dea"},
        environment={"python": "3.11.2", "packages": {"torch": "2.15.0"}, "commit": "c0ffee1"},
        terms={"McNemar p": "exact test"},
        **_figures(),
        tables=[
            Table(
                "Covered classes",
                ["specialists", "cases", "gain, %"],
                [["none", 12_345, 0.0], ["<b>1-2</b>", 1, -3.14159], ["3", None, None]],
                "Gain in *top* answers.",
            )
        ],
        warnings=["MNIST could not be downloaded: fell back to the bundled digits"],
    )


@pytest.fixture
def folder(tmp_path: Path, result: Result) -> RunFolder:
    """`result` with config, history and gallery beside it."""
    return filled(RunFolder(tmp_path / "run"), result)


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same folder for all tests that leave it as it is, with its reports written."""
    folder = filled(RunFolder(tmp_path_factory.mktemp("standing") / "run"), made_result())
    write_report(folder)
    return folder


def filled(folder: RunFolder, result: Result) -> RunFolder:
    folder.path.mkdir()
    write_text(folder.config, CONFIG)
    write_text(folder.history, "".join(f"{json.dumps(line)}\n" for line in _history()))
    write_tensors(folder.kept("gallery"), _gallery())
    result.write(folder.result)
    return folder


def _history() -> list[dict[str, object]]:
    stages = [*(f"teacher {k}/5" for k in range(1, 6)), "student", "baseline"]
    return [
        {
            "stage": stage,
            "epoch": epoch,
            "epochs": 20,
            "terms": {"total": (1.4 + place / 9) / epoch**0.7},
            "validation": {"errors": 40 / epoch + 6 + place, "nll": 0.3 / epoch},
            "learning_rate": 0.1,
            "seconds": 4.9,
        }
        for place, stage in enumerate(stages)
        for epoch in range(1, 21)
    ]


@cache
def _figures() -> dict[str, Any]:
    """What is drawn of a classifier's answers."""
    about, said = _answers()
    classes = [str(digit) for digit in range(CLASSES)]
    gallery = _gallery()
    inputs = shown(gallery["inputs"], "gallery", "inputs")
    return {
        "curves": [
            reliability_curves(said, about["labels"], 15),
            softness_curves(said["teacher"], [8.0]),
        ],
        "matrices": confusion_matrices(said, about["labels"], classes),
        "cases": [disagreements(said, about, classes, gallery["row"], inputs)],
    }


def _answers() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Labels drawn from the student's own probabilities, so that it is calibrated."""
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(CASES, CLASSES, generator=generator)
    labels = logits.softmax(1).multinomial(1, generator=generator)[:, 0]
    sharpness = {"teacher": 0.8, "student": 1.0, "baseline": 1.6}
    answers = {name: (scale * logits).softmax(1) for name, scale in sharpness.items()}
    return {"index": torch.arange(CASES), "labels": labels}, answers


def _gallery() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(256, (8, 1, 28, 28), generator=generator).to(torch.uint8)
    return {"inputs": inputs, "row": torch.arange(100, 900, 100)}
