"""The laws of every run of classifiers, over their teachers and losses: small, on 8x8 digits."""

import copy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.compose import compose as parts_of
from kdistill.config.build import build
from kdistill.data.streams import EpochStream
from kdistill.engine.predict import predict
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.library import load
from kdistill.paths import CONFIG_DIR
from kdistill.pipeline import Parts, run
from kdistill.signals.signal import ANSWER
from kdistill.signals.store import StoredAnswers
from kdistill.teachers.teacher import Context

SMALL = [
    "dataset=digits",
    "student.widths=[12]",
    "fit.epochs=2",
    "fit.optimizer.lr=0.01",
    "device=cpu",
    "cache=false",
]
SMALL_TEACHER = ["teacher.model.widths=[20]", "teacher.fit.epochs=1"]


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("[!_]*.yaml"))


def about_logits(loss: str) -> bool:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return "classes" in build(compose(overrides=[f"+loss={loss}"]).loss).compares


TEACHERS = [name for name in options("teacher") if name not in ("none", "rbm", "nade_mixture")]
LOSSES = [name for name in options("loss") if about_logits(name)]
REFUSED = ("specialists", "derivative_matching")


def parts(*overrides: str) -> Parts:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return parts_of(compose("train", [*SMALL, *SMALL_TEACHER, *overrides]))


def prepared(made: Parts) -> Parts:
    assert made.teacher is not None
    made.task.bind(made.dataset, True)
    made.teacher.prepare(Context(made.dataset, made.process, made.task, None, silent))
    return made


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


@pytest.mark.parametrize(
    ("teacher", "loss"), [pair for pair in product(TEACHERS, LOSSES) if pair != REFUSED]
)
def test_a_run_leaves_its_teacher_as_it_was(teacher: str, loss: str, tmp_path: Path) -> None:
    made = prepared(parts(f"teacher={teacher}", f"loss={loss}", "transfer=shifted"))
    network = made.teacher.network
    before = snapshot(network)
    made.teacher.prepare = lambda context: None  # it is: training it again would hide a change
    run(made, RunFolder(tmp_path), silent)
    assert not any(part.training for part in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_derivatives_of_what_specialists_agree_on_are_refused() -> None:
    with pytest.raises(UserError, match="what specialists agree on is found by iteration"):
        parts(
            *(f"{group}={name}" for group, name in zip(("teacher", "loss"), REFUSED, strict=True))
        )


@pytest.mark.parametrize("teacher", TEACHERS)
def test_stored_answers_are_the_live_ones_bit_for_bit(teacher: str) -> None:
    made = prepared(parts(f"teacher={teacher}"))
    examples = made.transfer.examples(made.dataset)
    needs = frozenset({ANSWER})
    stored = StoredAnswers(made.teacher, None, made.process.device)
    stored.collect(examples, needs, silent)
    shuffled = next(EpochStream(examples, len(examples), 3, made.process.device))
    found = stored.answer(shuffled, needs)[ANSWER]
    live = predict(made.teacher.network, examples, made.process)  # the batches of the store
    row = {int(index): at for at, index in enumerate(examples.index)}
    rows = torch.tensor([row[int(index)] for index in shuffled.index])
    assert torch.equal(found, live[rows])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_stored_run_is_the_live_run(loss: str, tmp_path: Path) -> None:
    """A loader-free way to make the teacher answer live: a shift by nothing, new each epoch."""
    still = "transfer.augmentation=[{_target_: kdistill.data.augmentation.Shift, pixels: 0}]"
    one_batch = "fit.batch_size=512"
    for name, extra in (("stored", []), ("live", [still])):
        run(parts(f"loss={loss}", one_batch, *extra), RunFolder(tmp_path / name), silent)
    stored, live = (read_tensors(tmp_path / n / "student.safetensors") for n in ("stored", "live"))
    for weights in stored:
        torch.testing.assert_close(stored[weights], live[weights], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_saved_are_weights_loaded(loss: str, tmp_path: Path) -> None:
    made = parts(f"loss={loss}")
    result = run(made, RunFolder(tmp_path), silent)
    opened = load(tmp_path)
    assert opened.result == result == Result.read(tmp_path / "result.json")
    logits = predict(opened.student, made.dataset.test, made.process)
    torch.testing.assert_close(opened.predictions["student"], logits.softmax(1))
    errors = int((logits.argmax(1) != made.dataset.test.targets).sum())
    assert errors == result.models["student"].measures["errors"].value


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    weights: list[dict[str, Tensor]] = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(parts(f"seed={seed}", "student.dropout=0.2"), RunFolder(tmp_path / name), silent)
        weights.append(read_tensors(tmp_path / name / "student.safetensors"))
    first, again, other = weights
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_student_and_baseline_start_from_the_same_weights(tmp_path: Path) -> None:
    still = "fit.optimizer.lr=0.0"
    run(parts(still, "fit.scheduler=null"), RunFolder(tmp_path), silent)
    student, baseline = (
        read_tensors(tmp_path / f"{n}.safetensors") for n in ("student", "baseline")
    )
    assert all(torch.equal(student[name], baseline[name]) for name in student)


@pytest.mark.usefixtures("reported")
def test_everything_promised_lies_in_the_run_folder(tmp_path: Path) -> None:
    made = parts("teacher=ensemble", "teacher.members=2")
    result = run(made, RunFolder(tmp_path), silent)
    files = {path.name for path in tmp_path.iterdir()}
    assert files >= {
        "config.yaml",
        "environment.json",
        "history.jsonl",
        "student.safetensors",
        "student.yaml",
        "baseline.safetensors",
        "teacher.json",
        "predictions.safetensors",
        "result.json",
        "report.md",
        "report.html",
    }
    stages = [line["stage"] for line in load(tmp_path).history]
    assert stages == ["teacher 1/2", "teacher 2/2", "student", "student", "baseline", "baseline"]
    assert len(result.models["teacher"].members) == 2
    assert result.dataset["train"] + result.dataset["validation"] == 1397
    assert result.signals["asked"] == result.dataset["train"]
    big, small = result.models["teacher"].cost, result.models["student"].cost
    assert result.compression["parameters"] == big.parameters / small.parameters


def test_a_loss_without_a_teacher_runs_without_one(tmp_path: Path) -> None:
    made = parts_alone("loss=hard_labels", "baseline=false")
    result = run(made, RunFolder(tmp_path), silent)
    assert result.models["teacher"] is None
    assert (result.gain.closed_gap, result.gain.p_value) == (None, None)


def parts_alone(*overrides: Any) -> Parts:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return parts_of(compose("train", [*SMALL, "teacher=none", *overrides]))
