"""`kdistill train`: what is shown, what a failed run leaves, what a sweep does with one."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.text import Text

from kdistill.artifacts.result import Measure
from kdistill.cli import main
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Progress, StageStarted


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """The command without the training: `pipeline.append` what each run shall do."""
    monkeypatch.chdir(tmp_path)
    deeds = []

    def run_config(cfg, folder, listener):
        listener(StageStarted("student", 100))
        listener(Progress("student", 17))
        listener(EpochEnded("student", 1, 2, {"total": 0.5}))
        deeds.pop(0)(cfg, folder)
        student = SimpleNamespace(measures={"errors": Measure(3, 10, None, "count", "lower")})
        student.validation = {"errors": Measure(2, 10, None, "count", "lower")}
        return SimpleNamespace(models={"student": student}, main="errors")

    monkeypatch.setattr("kdistill.cli._run.run_in_processes", run_config)
    monkeypatch.setattr(
        "kdistill.cli._run.terminal", lambda result, folder: Text(f"result in {folder.path}")
    )
    return deeds


def failing(error):
    def deed(cfg, folder):
        raise error

    return deed


def folders():
    return sorted(path.parent for path in Path("runs").rglob(".hydra"))


def test_a_run_shows_its_progress_then_its_report(pipeline, capsys):
    pipeline.append(lambda cfg, folder: None)
    assert main(["train", "name=mine", "seed=4"]) == 0
    (folder,) = folders()
    assert folder.parent == Path("runs/mine")
    shown = capsys.readouterr().out.replace("\n", "")
    assert shown.startswith("student  epoch 1/2  total 0.5")
    assert shown.endswith(f"result in {folder.resolve()}")
    assert "epoch 1/2" in (folder / "train.log").read_text()
    assert not (folder / "failed.json").exists()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("loss became nan; lower fit.optimizer.lr"), 2, "loss became nan; lower fit.op"),
        (KeyError("gone"), 1, "KeyError: 'gone'"),
    ],
)
def test_a_failed_run_says_where_it_stood(error, code, message, pipeline, capfd):
    pipeline.append(failing(error))
    assert main(["train"]) == code
    (folder,) = folders()
    failure = json.loads((folder / "failed.json").read_text())
    assert failure.pop("message").startswith(message)
    assert failure == {"stage": "student", "step": 17}
    told = capfd.readouterr().err
    assert ("Traceback" in told) == (code == 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_has_not_failed_and_says_how_to_go_on(number, code, pipeline, capfd):
    def stopped(cfg, folder):
        (folder / "config.yaml").write_text("name: default\n")
        os.kill(os.getpid(), number)

    pipeline.append(stopped)
    assert main(["train"]) == code
    (folder,) = folders()
    assert not (folder / "failed.json").exists()
    name = signal.Signals(number).name
    told = f"kdistill: stopped by {name} in student; go on with: kdistill resume "
    assert capfd.readouterr().err == f"{told}{folder.resolve()}\n"


def test_in_a_sweep_only_the_failed_job_leaves_a_failure(pipeline, capfd):
    pipeline += [lambda cfg, folder: None, failing(UserError("no")), lambda cfg, folder: None]
    assert main(["train", "-m", "loss.temperature=1,4,20"]) == 2
    jobs = folders()
    assert [job.name for job in jobs] == [
        "loss.temperature=1",
        "loss.temperature=20",
        "loss.temperature=4",
    ]
    assert [(job / "failed.json").exists() for job in jobs] == [False, False, True]
    assert capfd.readouterr().err == "kdistill: no\n"


def test_a_run_composes_what_its_words_say(pipeline):
    configs = []
    pipeline.append(lambda cfg, folder: configs.append(cfg))
    main(["train", "+experiment=mnist_ensemble", "teacher.members=3"])
    assert configs[0].teacher.members == 3
    assert configs[0].name == "mnist_ensemble"
    assert "hydra" not in configs[0]


def test_any_number_of_epochs_is_a_run(tmp_path, monkeypatch, capfd):
    """Five epochs were refused once: OneCycleLR divides by zero for a total of five steps."""
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    small = ["dataset=digits", "teacher=none", "loss=hard_labels", "baseline=false", "device=cpu"]
    for epochs in (1, 2, 5, 10):
        folder = f"hydra.run.dir={tmp_path / str(epochs)}"
        assert main(["train", *small, "student.widths=[4]", f"fit.epochs={epochs}", folder]) == 0
