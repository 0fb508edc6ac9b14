"""Several processes train the same model as one, with DDP and FSDP2, on the CPU over gloo."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kdistill.engine.resume import ResumePoint

SCRIPT = Path(__file__).with_name("spread_training.py")
specification = importlib.util.spec_from_file_location("spread_training", SCRIPT)
spread_training = importlib.util.module_from_spec(specification)
specification.loader.exec_module(spread_training)
CASES = spread_training.CASES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have left."""
    folder = tmp_path_factory.mktemp("two")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([sys.executable, *torchrun, str(SCRIPT), str(folder)], check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def two(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "made.pt", weights_only=True)


def close(one: Any, other: Any, tolerance: float) -> None:
    for name, value in one["weights"].items():
        scale = float(value.abs().max())
        torch.testing.assert_close(
            other["weights"][name], value, rtol=tolerance, atol=tolerance * scale, msg=name
        )


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["fp32", "fp64"]
)
@pytest.mark.parametrize(
    ("strategy", "name"),
    [*(("ddp", name) for name in CASES), *(("fsdp", name) for name in ("sgd", "adamw", "best"))],
)
def test_two_processes_train_what_one_trains(
    strategy: str, name: str, dtype: torch.dtype, tolerance: float, two: dict[str, Any]
) -> None:
    alone, together = spread_training.train(name, "ddp", dtype), two[f"{strategy} {name} {dtype}"]
    close(alone, together, tolerance)
    for mine, theirs in zip(alone["terms"], together["terms"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5)  # kept in fp32


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_two_processes_resume_exactly_and_one_alone_nearly(
    strategy: str, name: str, two: dict[str, Any], folder: Path
) -> None:
    undisturbed, resumed = (
        two[f"{strategy} {name} torch.float32"],
        two[f"{strategy} {name} resumed"],
    )
    for key, value in undisturbed["weights"].items():
        assert torch.equal(value, resumed["weights"][key]), key
    point = ResumePoint(folder / f"{strategy} {name}.pt", 3600.0, pytest.fail)
    alone = spread_training.train(name, "ddp", torch.float32, point)
    close(undisturbed, alone, 1e-5)


def test_each_process_asks_the_teacher_about_its_part(two: dict[str, Any]) -> None:
    assert two["asked"] == [25, 26]
