"""Tests of the comparison of two commits: what counts as a difference, and what does not."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(SCRIPTS)
    return import_module("same_bits")


def written(folder: Path, nll: float, weights: Tensor, labels: str, seconds: float) -> Path:
    """A run folder as the script reads it."""
    folder.mkdir()
    measure = {"value": nll, "n": 3, "interval": [0.0, 1.0], "unit": "nats", "better": "lower"}
    cost = {"parameters": 4, "bytes": int(seconds), "latency_ms": {"1": seconds}}
    result = {
        "models": {"student": {"measures": {"nll": measure}, "cost": cost}, "teacher": None},
        "gain": {"closed_gap": None, "p_value": 0.5},
        "signals": {"mode": "stored", "asked": 3},
        "seconds": {"total": seconds},
        "tables": [{"title": "log Z", "columns": ["By", "Seconds"], "rows": [["AIS", seconds]]}],
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    save_file({"weight": weights}, folder / "student.safetensors")
    save_file({labels: torch.arange(3)}, folder / "predictions.safetensors")
    return folder


def test_seconds_and_names_are_no_difference(script: Any, tmp_path: Path) -> None:
    one = written(tmp_path / "a", 0.25, torch.ones(4), "labels", 1.0)
    other = written(tmp_path / "b", 0.25, torch.ones(4), "targets", 2.0)
    assert list(script.differences(one, other)) == []


def test_a_last_digit_and_another_shape_are_differences(script: Any, tmp_path: Path) -> None:
    one = written(tmp_path / "a", 0.25, torch.ones(4), "labels", 1.0)
    other = written(tmp_path / "b", 0.25000000000000006, torch.ones(2, 2), "labels", 1.0)
    first, second = script.differences(one, other)
    assert first.startswith("student, weight: ")
    assert second == "models.student.measures.nll.value: 0.25 and 0.25000000000000006"
    (other / "predictions.safetensors").unlink()
    assert any(line.endswith(" and None") for line in script.differences(one, other))


def test_a_key_is_renamed_wherever_it_stands(script: Any) -> None:
    words = ["measure=speech", "measure.samples=4", "loss.measure=labels", "+experiment=measure"]
    renamed = ["task=speech", "task.samples=4", "loss.task=labels", "+experiment=measure"]
    assert list(map(script.renamed, words)) == renamed
