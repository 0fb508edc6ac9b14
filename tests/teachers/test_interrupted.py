"""Teachers that train several networks, whole runs: planned as they are done, ended and gone on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json
from kdistill.compose import run_config
from kdistill.config.build import to_plain
from kdistill.events import Event, Progress, silent
from kdistill.paths import CONFIG_DIR
from kdistill.plan import Plan, plan

WORDS = [
    *("dataset=digits", "dataset.validation=200", "loss.temperature=2", "baseline=false"),
    *("teacher.model.widths=[8]", "teacher.fit.epochs=2", "teacher.fit.batch_size=256"),
    *("student.widths=[8]", "fit.epochs=2", "fit.batch_size=256"),
    *("device=cpu", "device.threads=1", "save_every=1e-9"),
]
# dropout is on in their members, so that a resumed training must draw what it would have drawn
KINDS = {
    "codistillation": ["teacher=community", "teacher.members=3"],
    "average": ["teacher=community", "teacher.members=2", "teacher.learning=average"],
    "born_again": ["teacher=born_again", "teacher.rounds=2", "teacher.answer=geometric"],
}


def config(kind: str, *words: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [*WORDS, *KINDS[kind], *words]))


class Killed(BaseException):
    """Nothing in the run may mend this."""


class Steps:
    """Ends the run at so many steps of its teacher."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress) and event.stage.startswith("teacher"):
            self.left -= 1
            if self.left == 0:
                raise Killed


@dataclass(frozen=True)
class Alone:
    """A run left alone, what was planned before it, and what would be planned after it."""

    kind: str
    folder: RunFolder
    result: Result
    before: Plan
    after: Plan


@pytest.fixture(scope="module", params=KINDS)
def alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alone]:
    kind, place = request.param, tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDISTILL_CACHE", str(place / "cache"))
        before = plan(config(kind))
        result = run_config(config(kind), place / "run", silent)
        after = plan(config(kind, "fit.epochs=3"))
        yield Alone(kind, RunFolder(place / "run"), result, before, after)


def test_ended_within_its_trainings_it_goes_on(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kdistill.engine.resume.SHARE", 1e9)  # points however long they take
    folder, ended = RunFolder(tmp_path / "run"), 0
    while not folder.result.is_file():
        try:
            run_config(config(alone.kind), folder.path, Steps(last=4))
        except Killed:
            ended += 1
    assert ended >= 2
    for name in ("student", "predictions"):
        one, other = getattr(alone.folder, name), getattr(folder, name)
        assert one.read_bytes() == other.read_bytes(), name
    result = Result.read(folder.result)
    assert result.tables == alone.result.tables
    members = (each.models["teacher"].members for each in (alone.result, result))
    assert all(one.measures == other.measures for one, other in zip(*members, strict=True))


def test_the_plan_says_what_the_run_does(alone: Alone) -> None:
    trainings = [step for step in alone.before.steps if step.stage.startswith("teacher")]
    members = alone.result.models["teacher"].members
    assert [step.bytes for step in trainings] == [4 * each.cost.parameters for each in members]
    assert not any(step.reused for step in trainings)
    after = {step.stage: step.reused for step in alone.after.steps}
    known = dict.fromkeys([step.stage for step in trainings], True)
    assert after == {**known, "signals": True, "student": False}


def test_the_run_folder_says_who_taught(alone: Alone) -> None:
    kept = read_json(alone.folder.teacher)
    assert len(kept["members"]) == len(alone.result.models["teacher"].members)
    assert kept["hash"] == alone.result.signals["teacher"]


def test_the_report_shows_them_alone_and_together(alone: Alone) -> None:
    teacher = alone.result.models["teacher"]
    (table,) = alone.result.tables
    errors = [member.measures["errors"].value for member in teacher.members]
    assert table.columns == ["", "validation errors", "test errors"]
    assert table.rows[0][2] == pytest.approx(sum(errors) / len(errors))
    settings = config(alone.kind)["teacher"]
    how = settings.get("combine", settings.get("answer"))
    together = {row[0]: row[2] for row in table.rows}[f"together, {how} mean"]
    assert together == teacher.measures["errors"].value
    assert table.title in alone.folder.report_markdown.read_text(encoding="utf-8")
