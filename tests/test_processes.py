"""A whole run in two processes: the command line, the signals and the mistakes of one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json_lines
from kdistill.cli import main

WORDS = [
    *("dataset=digits", "dataset.validation=200", "teacher.model.widths=[12]"),
    *("teacher.model.dropout=0", "teacher.model.input_dropout=0", "teacher.fit.epochs=2"),
    *("student.widths=[8]", "fit.batch_size=100", "device=cpu", "device.threads=1"),
    "device.precision=fp32",  # whatever the machine is best at
]
PROGRAM = [sys.executable, "-m", "kdistill"]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))


def close(one: RunFolder, other: RunFolder) -> None:
    for file in ("student", "baseline"):
        left, right = read_tensors(getattr(one, file)), read_tensors(getattr(other, file))
        for name, value in left.items():
            torch.testing.assert_close(right[name], value, rtol=1e-5, atol=1e-5, msg=name)


def test_two_processes_make_the_run_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, "fit.epochs=2"]
    assert main(["train", *words, "device.processes=2", "hydra.run.dir=two"]) == 0
    told = capfd.readouterr()
    assert told.out.count("Student distilled") == 1
    assert told.out.count("student  epoch 2/2") == 1
    assert "Traceback" not in told.err
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "another"))
    assert main(["train", *words, "hydra.run.dir=one"]) == 0
    one, two = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")
    close(one, two)
    assert len(read_json_lines(two.history)) == len(read_json_lines(one.history))
    result = Result.read(two.result)
    assert "2 processes (ddp)" in result.environment["device"]
    assert result.signals["asked"] == 1197 == Result.read(one.result).signals["asked"]


def test_a_mistake_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    slip = ["fit.optimizer.lr=1e30", "fit.epochs=1", "device.processes=2", "hydra.run.dir=run"]
    assert main(["train", *WORDS, *slip]) == 2
    told = capfd.readouterr().err
    assert told.count("loss term 'total' became") == told.count("\n") == 1
    assert (Path("run") / "failed.json").is_file()


def test_one_input_for_batchnorm_in_a_process_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    words = [word for word in WORDS if not word.startswith(("student", "fit.batch_size"))]
    words += ["student=resnet", "device.processes=2", "hydra.run.dir=run", "fit.batch_size=597"]
    assert main(["train", *words]) == 2  # 1197 inputs are 2 x 597 + 3
    told = capfd.readouterr().err
    assert "fit.batch_size: the last batch of an epoch has 3 inputs, too few" in told
    assert told.count("\n") == 1


def test_sigterm_leaves_a_point_that_one_process_goes_on_from(tmp_path: Path) -> None:
    two, one = RunFolder(tmp_path / "two"), RunFolder(tmp_path / "one")
    words = [*WORDS, "fit.epochs=40", "hydra.run.dir=two", "device.processes=2"]
    process = subprocess.Popen(
        [*PROGRAM, "train", *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while process.poll() is None and len(read_json_lines(two.history)) < 4:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 143
    assert f"stopped by SIGTERM; go on with: kdistill resume {two.path}" in told
    assert (two.work / "student.pt").is_file()
    assert not two.failed.exists()
    assert main(["resume", str(two.path), "device.processes=1"]) == 0
    assert main(["train", *WORDS, "fit.epochs=40", "hydra.run.dir=one"]) == 0
    close(one, two)
