"""plan(): says what a run would do and what it would reuse, and does nothing itself."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from kdistill.artifacts.result import Result
from kdistill.cli import main
from kdistill.compose import run_config
from kdistill.config.build import to_plain
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.paths import CONFIG_DIR
from kdistill.plan import Plan, plan

QUICK = ["dataset=digits", "device=cpu", "device.precision=fp32"]
SMALL = [
    "student.widths=[12]",
    "fit.epochs=2",
    "teacher.model.widths=[20]",
    "teacher.fit.epochs=1",
]
TWO = ["teacher=ensemble", "teacher.members=2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which has no cache yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def config(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [*QUICK, *overrides]))


def small(*overrides: str) -> dict[str, Any]:
    return config(*SMALL, *overrides)


def reused(made: Plan) -> dict[str, bool]:
    return {step.stage: step.reused for step in made.steps}


def finished(folder: Path, *overrides: str) -> Result:
    return run_config(small(*overrides), folder / "run", silent)


def test_every_stage_is_listed_and_nothing_is_written(folder: Path) -> None:
    made = plan(config(*TWO, *SMALL))
    stages = ["teacher 1/2", "teacher 2/2", "signals", "student", "baseline"]
    assert [step.stage for step in made.steps] == stages
    assert not any(reused(made).values())
    whats = [step.what for step in made.steps]
    assert whats[0] == "MLP, 1 epochs"
    assert whats[2].startswith(f"{made.dataset.train} inputs, each asked once")
    assert whats[3] == whats[4] == "MLP, 2 epochs"
    assert list(folder.iterdir()) == []


def test_the_sizes_are_those_of_the_models() -> None:
    made = plan(small())
    kept = {step.stage: step.bytes for step in made.steps}
    teacher, student = (4 * (64 * n + n + n * 10 + 10) for n in (20, 12))
    answers = 4 * 10 * made.dataset.train
    expected = {"teacher": teacher, "signals": answers, "student": student, "baseline": student}
    assert kept == expected
    assert made.memory_bytes == made.dataset.bytes + answers + 4 * teacher


def test_the_seconds_are_those_of_all_steps() -> None:
    made = plan(small())
    seconds = [step.seconds for step in made.steps]
    assert all(each is not None and each > 0 for each in seconds)
    assert made.seconds == pytest.approx(sum(seconds))


def test_twice_the_epochs_take_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdistill.plan._multiply_adds_per_second", lambda process: 1e9)
    one, two = plan(small()), plan(small("fit.epochs=4"))
    taken = [{step.stage: step.seconds for step in each.steps} for each in (one, two)]
    assert taken[1]["student"] == pytest.approx(2 * taken[0]["student"])
    assert taken[1]["teacher"] == taken[0]["teacher"]


def test_what_a_finished_run_left_is_reused(folder: Path) -> None:
    finished(folder)
    after = plan(small("loss.temperature=2"))
    assert reused(after) == {"teacher": True, "signals": True, "student": False, "baseline": False}
    assert [step.seconds for step in after.steps][:2] == [0.0, 0.0]
    for change in ("seed=1", "teacher.model.widths=[21]", "dataset.validation=50", "cache=false"):
        assert not any(reused(plan(small(change))).values()), change


def test_weights_from_a_file_are_reused_and_so_are_their_answers(folder: Path) -> None:
    finished(folder)
    loaded = f"teacher.weights={folder / 'run'}"
    assert reused(plan(small(loaded)))["teacher"]
    assert not reused(plan(small(loaded)))["signals"]
    run_config(small(loaded), folder / "second", silent)
    assert reused(plan(small(loaded)))["signals"]


def test_a_damaged_file_of_weights_is_told_before_the_run(folder: Path) -> None:
    (folder / "weights.pt").write_text("nothing")
    with pytest.raises(UserError, match=r"weights\.pt: not a readable file"):
        plan(small("teacher.weights=weights.pt"))


def test_inputs_that_are_new_each_epoch_are_asked_live() -> None:
    made = plan(small("transfer=shifted"))
    (signals,) = (step for step in made.steps if step.stage == "signals")
    assert signals.what == "the teacher answers live: inputs are new each epoch"
    assert signals.bytes == 0
    once = next(step for step in plan(small()).steps if step.stage == "signals")
    assert once.bytes > 0


def test_without_a_teacher_or_a_baseline_there_is_only_the_student() -> None:
    alone = ["teacher=none", "loss=hard_labels", "baseline=false"]
    made = plan(config("student.widths=[12]", *alone))
    assert [step.stage for step in made.steps] == ["student"]
    assert made.loss == "HardLabels"


RBM = ["+experiment=rbm_to_nade", "dataset@dataset.source=digits", "device.precision=fp32"]


def test_of_an_rbm_the_sweeps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdistill.plan._multiply_adds_per_second", lambda _: 2.0)

    def seconds(*words: str) -> dict[str, float | None]:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            made = plan(to_plain(compose("train", [*RBM, *words])))
        return {step.stage: step.seconds for step in made.steps}

    few, many = seconds("teacher.sweeps=3"), seconds("teacher.sweeps=9")
    assert many["teacher"] / few["teacher"] == (2 * 3 + 2 * 9) / (2 * 3 + 2 * 3)
    chains = seconds("teacher.sweeps=3", "teacher.chains=200")  # two for each datum of a batch
    assert chains["teacher"] / few["teacher"] == (3 * 3 + 2 * 2 * 3) / (2 * 3 + 2 * 3)
    one_sweep = 2 * 64 * 500  # at a multiply-add a second
    assert few["samples"] == one_sweep * (2000 * 2000 + 10 * 60000 * 10)
    assert few["evaluate"] == one_sweep * (10000 * 2000 + 100 * 14500)
    assert many["student"] == few["student"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["transfer=noise"], "transfer: the loss needs labels, and these inputs have none"),
        (["fit.optimizer.lr=-1"], "fit.optimizer: Invalid learning rate: -1"),
        (["loss=derivative_matching", "student=resnet"], "use a student without BatchNorm"),
        (["student=nade"], "student: .*NADE must answer with logits"),
        (["student@teacher.model=lenet"], r"teacher\.model: inputs must be .* sides >= 16"),
    ],
)
def test_what_the_run_would_refuse_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        plan(config(*words))


def test_weights_that_do_not_fit_are_told(folder: Path) -> None:
    finished(folder)
    loaded = f"teacher.weights={folder / 'run' / 'student.safetensors'}"
    with pytest.raises(UserError, match=r"student\.safetensors: does not fit the model"):
        plan(config(loaded))


def test_every_job_of_a_sweep_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-m", *QUICK, "student=mlp,lenet,nade", "baseline=true"]) == 2
    shown = capsys.readouterr()
    assert shown.out.count("The first job of a sweep") == 1
    assert [line.split(": ")[1] for line in shown.err.splitlines()] == ["student", "student"]
