"""Members trained by executors: threads, joblib, submitit, dask, ray; and what is refused."""

import re
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from kdistill.cli import main
from kdistill.compose import recipe
from kdistill.config.build import to_plain
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, StageEnded
from kdistill.paths import CONFIG_DIR
from kdistill.teachers.ensemble import Ensemble
from kdistill.teachers.executors import in_executor
from kdistill.teachers.job import Done
from kdistill.teachers.side_by_side import jobs
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8], "dropout": 0.5}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
}
Run = Callable[..., Context]


def ensemble(**changes: Any) -> Ensemble:
    return Ensemble(2, "geometric", MODEL, LOSS, FIT, **changes)


def joblib(backend: Any) -> dict[str, Any]:
    return {"_target_": "kdistill.teachers.executors.Joblib", "backend": backend, "workers": 2}


THREADS = {"_target_": "concurrent.futures.ThreadPoolExecutor", "max_workers": 2}
SUBMITIT = {
    "_target_": "kdistill.teachers.executors.Submitit",
    "executor": {"_target_": "submitit.AutoExecutor", "folder": "jobs", "cluster": "local"},
    "parameters": {"timeout_min": 10},
}
DASK = {
    "_target_": "distributed.Client",
    "n_workers": 2,
    "threads_per_worker": 1,
    "dashboard_address": None,
}
RAY = joblib({"_target_": "ray.util.joblib.ray_backend.RayBackend"})


@pytest.mark.parametrize(
    ("executor", "needs", "trust"),
    [
        pytest.param(THREADS, "concurrent", "concurrent.futures", id="threads"),
        pytest.param(joblib("loky"), "joblib", "", id="joblib"),
        pytest.param(SUBMITIT, "submitit", "submitit", id="submitit"),
        pytest.param(DASK, "distributed", "distributed", id="dask"),
        pytest.param(RAY, "ray", "ray", id="ray"),
    ],
)
@pytest.mark.filterwarnings("default")  # of those libraries
def test_members_are_those_trained_one_by_one(
    executor: dict[str, Any],
    needs: str,
    trust: str,
    context: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(needs)
    monkeypatch.setenv("KDISTILL_TRUST", trust)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    told: list[Event] = []
    alone, elsewhere = ensemble(), ensemble(executor=executor)
    elsewhere.prepare(context(Path("elsewhere"), told.append))
    alone.prepare(context(Path("alone")))
    for one, other in zip(alone.members, elsewhere.members, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    ended = [(each.stage, each.reused) for each in told if isinstance(each, StageEnded)]
    assert ended == [("teacher 1/2", False), ("teacher 2/2", False)]
    epochs = [(each.stage, each.epoch) for each in told if isinstance(each, EpochEnded)]
    assert epochs == [(f"teacher {member}/2", epoch) for member in (1, 2) for epoch in (1, 2)]


class Promised:
    """An executor whose futures have ended already."""

    def __init__(self, *ends: Done | Exception | None) -> None:
        self.ends = iter(ends)
        self.futures: list[Future[Done]] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Done]:
        future, end = Future(), next(self.ends)
        if isinstance(end, Exception):
            future.set_exception(end)
        elif end:
            future.set_result(end)
        self.futures.append(future)
        return future


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Done(mistake="loss: wrong"), "^loss: wrong$"),
        (
            TimeoutError("the queue\nis long"),
            r"^teacher\.executor: teacher 1/2 did not .* \(TimeoutError: the queue is long\); run",
        ),
    ],
)
def test_one_that_fails_cancels_the_rest(
    end: Done | Exception, said: str, context: Run, tmp_path: Path
) -> None:
    given, executor = context(tmp_path), Promised(end, None)
    with pytest.raises(UserError, match=said):
        in_executor(
            jobs(ensemble().teachers, given, given.process, tmp_path), executor, pytest.fail
        )
    assert executor.futures[1].cancelled()


# the examples of docs/clusters.md

DOCS = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```yaml\n# conf/(teacher/\w+\.yaml)\n(.*?)```", DOCS, re.DOTALL))


@pytest.mark.parametrize(
    ("name", "library"), [("slurm", "submitit"), ("dask", "distributed"), ("ray", "ray")]
)
def test_examples_are_checked_once_they_are_trusted(
    name: str,
    library: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "conf" / "teacher" / f"{name}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(EXAMPLES[f"teacher/{name}.yaml"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delenv("KDISTILL_TRUST", raising=False)
    words = ["check", "--config-dir", "conf", f"teacher={name}", "dataset=digits", "device=cpu"]
    assert main(words) == 2
    told = capfd.readouterr().err
    assert told.startswith("kdistill: teacher.executor.")
    assert told.endswith(
        f"is not in a trusted package; if you trust it: KDISTILL_TRUST={library}\n"
    )
    pytest.importorskip(library)
    monkeypatch.setenv("KDISTILL_TRUST", library)
    assert main(words) == 0


# what a config may not do


def composed(*words: str) -> Any:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", ["teacher=ensemble", "device=cpu", *words]))


@pytest.mark.parametrize("executor", [SUBMITIT, DASK, RAY], ids=["submitit", "dask", "ray"])
def test_a_strangers_config_sends_no_jobs(
    executor: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDISTILL_TRUST", raising=False)
    config = composed()
    config["teacher"]["executor"] = executor
    with pytest.raises(UserError, match=r"teacher\.executor.*is not in a trusted package; if you"):
        recipe(config)


def test_workers_in_each_of_several_processes_are_refused() -> None:
    config = composed("teacher.workers=2", "device.processes=2")
    with pytest.raises(UserError, match=r"teacher\.workers.*not with device\.processes=2"):
        recipe(config)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused_at_check_time(workers: int) -> None:
    with pytest.raises(UserError, match=rf"teacher: workers must be >= 1, got {workers}"):
        recipe(composed(f"teacher.workers={workers}"))
