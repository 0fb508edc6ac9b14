"""Workers that fail, die or are stopped: one line tells it, and what is computed is kept."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json_lines
from kdistill.cli import main
from kdistill.errors import UserError
from kdistill.teachers.ensemble import Ensemble
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": SGD,
}
# the first dies at once, but not in the process that loads it
MORTAL = """
import os
import signal
from multiprocessing import parent_process

from torch import nn


class Net(nn.Linear):
    def __init__(self, input_shape, classes):
        super().__init__(input_shape[0], classes)
        if parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
"""
Run = Callable[..., Context]


def test_a_mistake_ends_all_of_them_with_the_line_it_has_here(context: Run, tmp_path: Path) -> None:
    wild = {**FIT, "optimizer": {**SGD, "lr": 1e30}}
    with pytest.raises(UserError) as here:
        NetworkTeacher(MODEL, LOSS, wild, stage="teacher 1/2").prepare(context())
    made = Ensemble(2, "geometric", MODEL, LOSS, wild, workers=2)
    with pytest.raises(UserError) as there:
        made.prepare(context(tmp_path))
    assert str(there.value).replace("teacher 2/2", "teacher 1/2") == str(here.value)
    assert there.value.step == here.value.step


def test_a_worker_that_dies_is_told_in_one_line(
    context: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_mortal.py").write_text(MORTAL)
    monkeypatch.setenv("KDISTILL_TRUST", "mine_mortal")
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    model = {"_target_": "mine_mortal.Net"}
    made = Ensemble(1, "geometric", model, LOSS, FIT, workers=2)
    with pytest.raises(UserError, match=r"teacher 1/1: its process ended early \(exit code -9;"):
        made.prepare(context(tmp_path / "cache"))


EPOCHS = 60
WORDS = [
    *("dataset=digits", "teacher=ensemble", "teacher.members=2", "teacher.model.widths=[16]"),
    *(
        f"teacher.fit.epochs={EPOCHS}",
        "teacher.fit.batch_size=64",
        "student.widths=[8]",
        "fit.epochs=1",
    ),
    *("baseline=false", "device=cpu", "device.precision=fp32", "device.threads=1", "cache=false"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run without workers, left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main(["train", *WORDS, f"hydra.run.dir={folder}"]) == 0
    return RunFolder(folder)


def epochs(folder: RunFolder) -> Counter[str]:
    """How many of each stage are told."""
    return Counter(line["stage"] for line in read_json_lines(folder.history))


def stopped(words: list[str], folder: RunFolder, how: Callable[[int], Any]) -> tuple[int, str]:
    """`kdistill WORDS`, stopped after two more epochs of a member: exit code, stderr."""
    before = epochs(folder)
    command = [sys.executable, "-m", "kdistill", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        while max((epochs(folder) - before).values(), default=0) < 2:
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.01)
        how(run.pid)
        told = run.communicate(timeout=120)[1]
    return run.returncode, told


def ctrl_c(pid: int) -> None:
    """A terminal sends it to the parent and to the workers."""
    os.killpg(pid, signal.SIGINT)


def everybody(pid: int) -> None:
    """As `timeout` and batch systems do."""
    os.killpg(pid, signal.SIGTERM)


def parent(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize(
    "ways", [[ctrl_c], pytest.param([everybody, parent, ctrl_c], marks=pytest.mark.slow)]
)
def test_stopped_they_leave_resume_points_and_end_up_the_same(
    ways: list[Callable[[int], None]], undisturbed: RunFolder, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    resume = ["resume", str(folder.path)]
    command = ["train", *WORDS, "teacher.workers=2", f"hydra.run.dir={folder.path}"]
    for how in ways:
        code, told = stopped(command, folder, how)
        name, number = ("SIGINT", 130) if how is ctrl_c else ("SIGTERM", 143)
        assert code == number, told
        assert told.startswith(f"kdistill: stopped by {name} in teacher ")
        assert told.endswith(f"; go on with: kdistill resume {folder.path}\n")
        assert told.count("\n") == 1
        for stage, count in epochs(folder).items():
            point = folder.work / f"{stage.replace(' ', '_').replace('/', '_')}.pt"
            assert point.is_file() == (count < EPOCHS), stage
        command = resume
    assert main(resume) == 0
    assert folder.student.read_bytes() == undisturbed.student.read_bytes()
    assert folder.teacher.read_text() == undisturbed.teacher.read_text()
    told = Counter((line["stage"], line["epoch"]) for line in read_json_lines(folder.history))
    assert set(told.values()) == {1}  # none lost, none repeated
    assert len(told) == 2 * EPOCHS + 1
