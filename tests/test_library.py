"""The library: your own modules distilled in place, and what a run has kept opened again."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import kdistill
from kdistill.compose import run_config
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Event, StageStarted, silent
from kdistill.library import evaluate_run
from kdistill.losses.soft_targets import SoftTargets
from kdistill.paths import CONFIG_DIR

Pair = tuple[Tensor, Tensor]


def net(width: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, 3))


@pytest.fixture
def teacher() -> nn.Module:
    """Names the largest of the first three numbers, without having been trained."""
    linear = nn.Linear(6, 3)
    with torch.no_grad():
        linear.weight.copy_(4 * torch.eye(3, 6))
        linear.bias.zero_()
    return nn.Sequential(nn.Identity(), linear)


def pair(count: int, seed: int) -> Pair:
    inputs = torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))
    return inputs, inputs[:, :3].argmax(1)


TRAIN, TEST = pair(200, 0), pair(80, 1)


def distilled(teacher: nn.Module, student: nn.Module, folder: Path, **changes: Any) -> kdistill.Run:
    process = Process("cpu", "fp32")
    given = {"train": TRAIN, "test": TEST, "epochs": 10, "batch_size": 20, "learning_rate": 0.02}
    return kdistill.distill(
        teacher, student, folder=folder, **{"process": process, **given, **changes}
    )


def logits(module: nn.Module, inputs: Tensor = TEST[0]) -> Tensor:
    with torch.no_grad():
        said: Tensor = module.eval()(inputs)
    return said


def errors(module: nn.Module) -> int:
    return int((logits(module).argmax(1) != TEST[1]).sum())


def loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(*TRAIN), batch_size=20, shuffle=True)


@pytest.mark.parametrize("train", [TRAIN, loader()], ids=["tensors", "loader"])
def test_the_student_given_is_taught_in_place(train: Any, teacher: nn.Module, tmp_path: Path):
    student = net(16, seed=1)
    before = errors(student)
    run = distilled(teacher, student, tmp_path, train=train)
    assert errors(student) < before / 2
    assert torch.equal(logits(run.student), logits(student))
    assert run.student is not student  # training yours on does not change what the run kept
    assert run.result.models["student"].measures["errors"].value == errors(student)
    assert run.result.models["teacher"].measures["errors"].value == errors(teacher) == 0
    torch.testing.assert_close(run.predictions["student"], logits(student).softmax(1))
    assert torch.equal(run.predictions["labels"], TEST[1])
    assert run.result.dataset["transfer"] == len(TRAIN[0])
    assert run.result.experiment == "library"
    assert run.config == {}


def test_tensors_are_asked_once_and_a_loader_live(teacher: nn.Module, tmp_path: Path) -> None:
    stored = distilled(teacher, net(4, 1), tmp_path / "a", epochs=1)
    live = distilled(teacher, net(4, 1), tmp_path / "b", epochs=1, train=loader())
    assert stored.result.signals["mode"] == "stored"
    assert stored.result.signals["asked"] == 200
    assert live.result.signals["mode"] == "live"


def test_the_baseline_is_another_network_taught_without_the_teacher(
    teacher: nn.Module, tmp_path: Path
) -> None:
    """A teacher that confuses two classes misleads the student alone."""
    wrong = copy.deepcopy(teacher)
    with torch.no_grad():
        wrong[1].weight.copy_(teacher[1].weight[[1, 0, 2]])
    student = net(16, seed=1)
    run = distilled(wrong, student, tmp_path, loss=SoftTargets(2.0, hard_weight=0.0))
    assert run.baseline is not None
    assert errors(run.student) > 30
    assert errors(run.baseline) < 20
    assert run.result.models["baseline"].measures["errors"].value == errors(run.baseline)
    assert {line["stage"] for line in run.history} == {"student", "baseline"}


def test_without_a_baseline_there_is_none(teacher: nn.Module, tmp_path: Path) -> None:
    told: list[Event] = []
    run = distilled(teacher, net(4, 1), tmp_path, epochs=1, baseline=False, listener=told.append)
    assert run.baseline is None
    assert run.result.models["baseline"] is None
    assert (run.result.gain.closed_gap, run.result.gain.p_value) == (None, None)
    stages = [event.stage for event in told if isinstance(event, StageStarted)]
    assert stages == ["signals", "student", "evaluate"]


def test_the_same_seed_gives_the_same_student(teacher: nn.Module, tmp_path: Path) -> None:
    said = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        student = net(4, seed=0)
        distilled(teacher, student, tmp_path / name, epochs=1, seed=seed, baseline=False)
        said.append(logits(student))
    assert torch.equal(said[0], said[1])
    assert not torch.equal(said[0], said[2])


def test_a_finished_run_is_never_written_over(teacher: nn.Module, tmp_path: Path) -> None:
    first = distilled(teacher, net(4, 1), tmp_path, epochs=2)
    with pytest.raises(UserError, match="holds a finished run; name another folder"):
        distilled(teacher, net(4, 1), tmp_path, epochs=1)
    assert kdistill.load(tmp_path, net(4, 1)).history == first.history


def test_a_run_after_one_that_stopped_has_a_history_of_its_own(
    teacher: nn.Module, tmp_path: Path
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "evaluate":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distilled(teacher, net(4, 1), tmp_path, epochs=2, listener=stop)
    assert (tmp_path / "baseline.safetensors").exists()
    again = distilled(teacher, net(4, 1), tmp_path, epochs=1, baseline=False)
    assert again.baseline is None
    assert [line["stage"] for line in again.history] == ["student"]


def test_a_run_of_modules_is_opened_with_a_module(teacher: nn.Module, tmp_path: Path) -> None:
    student = net(4, 1)
    distilled(teacher, student, tmp_path, epochs=1)
    with pytest.raises(UserError, match=r"a module of yours; give it: load\(run, MyNet\(\)\)"):
        kdistill.load(tmp_path)
    mine = net(4, 2)
    before = logits(mine)
    run = kdistill.load(tmp_path, mine)
    assert torch.equal(logits(run.student), logits(student))
    assert torch.equal(logits(mine), before)  # a copy is filled
    assert not run.student.training
    with pytest.raises(UserError, match="does not fit the model"):
        kdistill.load(tmp_path, net(5, 1))
    with pytest.raises(UserError, match="a module of yours"):
        evaluate_run(tmp_path)


def test_what_does_not_fit_is_told_before_training(teacher: nn.Module, tmp_path: Path) -> None:
    wide = torch.randn(8, 7), TEST[1][:8]
    with pytest.raises(UserError, match=r"teacher: cannot take test inputs of shape \[7\]"):
        distilled(teacher, net(4, 1), tmp_path, test=wide)
    with pytest.raises(UserError, match="labels"):
        distilled(teacher, net(4, 1), tmp_path, train=(TRAIN[0], TRAIN[1] + 1))
    unlabelled = DataLoader(TRAIN[0], batch_size=20)
    with pytest.raises(UserError, match="transfer: the loss needs labels"):
        distilled(teacher, net(4, 1), tmp_path, train=unlabelled)
    assert not (tmp_path / "result.json").exists()


def few(count: int, **options: Any) -> DataLoader[Any]:
    pairs = TensorDataset(TRAIN[0][:count], TRAIN[1][:count])
    return DataLoader(pairs, **{"batch_size": 20, **options})


def test_a_loader_is_looked_at_before_anything_is_trained(
    teacher: nn.Module, tmp_path: Path
) -> None:
    mixed = DataLoader(TensorDataset(TRAIN[0], torch.rand(200, 3)), batch_size=20)
    for loader, said in ((few(10, drop_last=True), "empty"), (mixed, "batch 0: labels")):
        with pytest.raises(UserError, match=f"the loader.*{said}"):
            distilled(teacher, net(4, 1), tmp_path, train=loader)
    assert list(tmp_path.iterdir()) == []


def test_a_last_batch_of_one_is_refused_where_it_cannot_be_learned_from(
    teacher: nn.Module, tmp_path: Path
) -> None:
    def normed() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))

    with pytest.raises(UserError, match="last batch of an epoch has one input.*drop_last=True"):
        distilled(teacher, normed(), tmp_path, train=few(41), epochs=1)
    assert list(tmp_path.iterdir()) == []
    for name, student, loader in (
        ("dropped", normed(), few(41, drop_last=True)),
        ("other batches", normed(), few(41, batch_size=19)),
        ("no BatchNorm", net(4, 1), few(41)),
    ):
        distilled(teacher, student, tmp_path / name, train=loader, epochs=1, baseline=False)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such run folder"):
        kdistill.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="the run is not finished"):
        kdistill.load(tmp_path)


def test_evaluating_a_run_again_gives_the_measures_it_stored(tmp_path: Path) -> None:
    small = ["dataset=digits", "device=cpu", "student.widths=[12]", "teacher.model.widths=[20]"]
    quick = ["fit.epochs=2", "teacher.fit.epochs=1", "cache=false"]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        result = run_config(compose("train", [*small, *quick]), tmp_path, silent)
    again = evaluate_run(tmp_path)
    assert again.keys() == {"student", "baseline"}
    for name, model in again.items():
        stored = result.models[name].measures
        assert model.measures.keys() == stored.keys()
        rounded = {"kl_to_teacher"}  # from the teacher's stored probabilities, not its logits
        for each in stored.keys() - rounded:
            assert model.measures[each] == stored[each]
        for each in rounded:
            assert model.measures[each].value == pytest.approx(stored[each].value, rel=1e-4)
