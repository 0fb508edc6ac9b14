"""A job is small, says how it ended in plain values, and has the user's own code with it."""

import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdistill.engine.terms import Diverged
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Progress, StageEnded, silent
from kdistill.teachers.job import Done, Job, train_job
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.own_code import OwnCode
from kdistill.teachers.side_by_side import jobs
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
}
Run = Callable[..., Context]


@pytest.fixture
def job(context: Run, tmp_path: Path) -> Callable[..., Job]:
    def make(**changes: Any) -> Job:
        teacher = NetworkTeacher(**{"model": MODEL, "loss": LOSS, "fit": FIT, **changes})
        given = context(tmp_path)
        teacher.trainings(given.dataset.fingerprint, given.process.precision, tmp_path)
        (made,) = jobs([teacher], given, given.process, tmp_path)
        return made

    return make


def diverging() -> dict[str, Any]:
    return {**FIT, "optimizer": {"_target_": "torch.optim.SGD", "lr": 1e30}}


def test_beside_the_data_a_job_is_a_few_numbers(job: Callable[..., Job]) -> None:
    assert len(pickle.dumps(replace(job(), data=b""))) < 3000


def test_events_come_with_the_result_where_nobody_listens(job: Callable[..., Job]) -> None:
    made = job()
    done = train_job(made)
    done.check()
    assert [each.epoch for each in done.events if isinstance(each, EpochEnded)] == [1, 2]
    assert isinstance(done.events[-1], StageEnded)
    assert not any(isinstance(each, Progress) for each in done.events)
    assert pickle.loads(pickle.dumps(done)) == done


def test_a_mistake_is_told_as_if_it_had_been_made_here(
    job: Callable[..., Job], context: Run
) -> None:
    with pytest.raises(Diverged) as here:
        NetworkTeacher(MODEL, LOSS, diverging()).prepare(context())
    made = job(fit=diverging())
    done = pickle.loads(pickle.dumps(train_job(made)))
    with pytest.raises(UserError) as there:
        done.check()
    assert str(there.value) == str(here.value)
    assert there.value.step == here.value.step


def test_a_mistake_without_a_step_has_none() -> None:
    with pytest.raises(UserError, match="^what") as told:
        Done(mistake="what").check()
    assert not hasattr(told.value, "step")


def test_a_crash_keeps_its_traceback(job: Callable[..., Job]) -> None:
    made = replace(job(), data=b"no pickle")
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*UnpicklingError"):
        train_job(made).check()


def test_other_versions_elsewhere_are_noticed_before_training(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job()
    monkeypatch.setattr("kdistill.teachers.job.versions", lambda: {"torch": "99"})
    done = train_job(made)
    assert not done.events
    with pytest.raises(UserError, match="versions of kdistill or torch are not those of this"):
        done.check()


def test_what_is_trained_keeps_the_name_it_was_sent_with(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where a source is edited while a worker of this machine trains."""
    made = pickle.loads(pickle.dumps(job()))
    monkeypatch.setattr("kdistill.teachers.network.versions", lambda: {"torch": "99"})
    train_job(made, silent).check()
    assert (tmp_path / "teachers" / made.teacher.hash / "teacher.json").is_file()
    assert job().teacher.hash != made.teacher.hash


def test_own_code_is_trusted_and_loaded_elsewhere_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_here.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("KDISTILL_TRUST", "mine_here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_here", raising=False)
    assert OwnCode.here().modules == ()
    __import__("mine_here")
    own = OwnCode.here()
    assert own == OwnCode("mine_here", str(tmp_path), ("mine_here",))
    # elsewhere
    monkeypatch.delitem(sys.modules, "mine_here")
    monkeypatch.setattr(sys, "path", sys.path[1:])
    monkeypatch.setenv("KDISTILL_TRUST", "")
    own.load()
    assert sys.modules["mine_here"].VALUE == 1
    assert os.environ["KDISTILL_TRUST"] == "mine_here"


def test_nobody_trusted_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDISTILL_TRUST", raising=False)
    assert OwnCode.here().modules == ()
