"""The pipeline refuses what cannot work before a teacher is trained, and never mixes two runs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from kdistill.artifacts.result import Result, Table
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.tensors import from_tensors
from kdistill.data.transfer import TrainingSet
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.losses.derivative_matching import DerivativeMatching
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.loss import Loss, logits_of
from kdistill.losses.soft_targets import SoftTargets
from kdistill.measures.classification import Classification
from kdistill.models.network import Network
from kdistill.pipeline import Parts, run
from kdistill.teachers.frozen import Frozen

SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}


class Untrainable(Frozen):
    def prepare(self, context: object) -> None:
        raise AssertionError("the teacher was trained first")


def parts(**changes: object) -> Parts:
    torch.manual_seed(0)
    labels = torch.arange(40) % 3
    data = from_tensors((torch.randn(40, 5), labels), (torch.randn(40, 5), labels), classes=3)
    whole: dict[str, object] = {
        "dataset": data,
        "transfer": TrainingSet(),
        "teacher": Untrainable(nn.Linear(5, 3)),
        "student": Network.wrap(nn.Linear(5, 3)),
        "loss": SoftTargets(),
        "fit": Fit(1, 8, SGD),
        "measure": Classification(),
        "process": Process("cpu", "fp32").start(),
        "name": "test",
        "seed": 0,
        "baseline": True,
        "cache": None,
    }
    return Parts(**{**whole, **changes})  # type: ignore[arg-type]


class WithoutTotal(Loss):
    def forward(self, student, teacher, batch):
        return {"value": logits_of(student).mean()}


class ByName(Loss):
    student_needs = frozenset({"logits"})


class Bare(Loss):
    def forward(self, student, teacher, batch):
        return {"total": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": Network.wrap(nn.Linear(5, 4))}, "size of tensor|shape|logits"),
        ({"student": Network.wrap(nn.Linear(6, 3))}, "student and loss: a step .* fails"),
        (
            {"loss": WithoutTotal()},
            "must return a dict of scalars with 'total', got the keys value",
        ),
        ({"loss": ByName()}, "loss: ByName needs 'logits', which is no Signal"),
        ({"loss": Bare()}, "must return a dict of scalars with 'total', 'total' is no scalar"),
        ({"fit": Fit(1, 8, {**SGD, "lr": -1})}, "fit.optimizer: .*Invalid learning rate"),
        ({"fit": Fit(1, 8, SGD, patience=2)}, "set dataset.validation"),
        ({"fit": Fit(1, 8, SGD, monitor="foo")}, "fit.monitor=foo is not measured"),
        (
            {
                "loss": DerivativeMatching(),
                "student": Network.wrap(nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))),
            },
            "use a student without BatchNorm",
        ),
        ({"repair": "prior"}, "repair=prior: the transfer set lacks no class"),
        (
            {"repair": "validation", "transfer": TrainingSet(omit_classes=[1])},
            "repair=validation: there are no labels held out; set dataset.validation",
        ),
        (
            {
                "repair": "prior",
                "transfer": TrainingSet(omit_classes=[1]),
                "student": Network.wrap(nn.Linear(5, 3, bias=False)),
            },
            "repair: the student has no bias of 3 numbers",
        ),
        ({"teacher": None}, "there is none; use loss=hard_labels"),
    ],
)
def test_mistakes_are_told_before_the_teacher_is_trained(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run(parts(**changes), RunFolder(tmp_path), silent)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_unlabelled_inputs_want_a_loss_and_a_run_without_labels(tmp_path: Path) -> None:
    inputs, labels = torch.randn(40, 5), torch.arange(40) % 3
    data = from_tensors((inputs, None), (inputs, labels), classes=3)
    for changes in ({}, {"loss": SoftTargets(4, 0)}, {"baseline": False}):
        with pytest.raises(UserError, match="hard_weight=0 baseline=false, or give labels"):
            run(parts(dataset=data, **changes), RunFolder(tmp_path), silent)
    teacher = Frozen(nn.Linear(5, 3))
    made = parts(dataset=data, teacher=teacher, loss=SoftTargets(4, 0), baseline=False)
    assert run(made, RunFolder(tmp_path), silent).models["baseline"] is None


class Counting(Frozen):
    """Counts the classes of the test set, and how often it was asked to."""

    asked = 0

    def tables(self, dataset, process):
        self.asked += 1
        counts = dataset.test.targets.bincount().tolist()
        return [Table("Classes", ["class", "cases"], [list(row) for row in enumerate(counts)])]


def test_the_tables_of_a_teacher_are_kept(tmp_path: Path) -> None:
    teacher = Counting(nn.Linear(5, 3))
    result = run(parts(teacher=teacher), RunFolder(tmp_path), silent)
    assert result.tables == [Table("Classes", ["class", "cases"], [[0, 14], [1, 13], [2, 13]])]
    assert Result.read(tmp_path / "result.json").tables == result.tables
    assert "| 2 | 13 |" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert teacher.asked == 1


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    made = parts(teacher=None, loss=HardLabels(), baseline=False)
    run(made, RunFolder(tmp_path), silent)
    before = (tmp_path / "result.json").read_bytes()
    with pytest.raises(UserError, match="holds a finished run; name another folder"):
        run(made, RunFolder(tmp_path), silent)
    assert (tmp_path / "result.json").read_bytes() == before


def test_weights_spoilt_by_the_last_step_are_told(tmp_path: Path) -> None:
    hopeless = Fit(1, 40, {"_target_": "torch.optim.SGD", "lr": float("inf")})
    made = parts(teacher=None, loss=HardLabels(), fit=hopeless, baseline=False)
    with pytest.raises(UserError, match="student: its logits on the test set are NaN"):
        run(made, RunFolder(tmp_path), silent)
    assert not (tmp_path / "result.json").exists()


def test_held_out_inputs_without_labels_say_nothing_of_the_teacher(tmp_path: Path) -> None:
    labelled = torch.randn(40, 5), torch.arange(40) % 3
    data = from_tensors((torch.randn(40, 5), None), labelled, 10, classes=3)
    assert len(data.validation) == 10
    told = parts(dataset=data, teacher=Frozen(nn.Linear(5, 3)), baseline=False)
    told = replace(told, loss=SoftTargets(hard_weight=0))
    result = run(told, RunFolder(tmp_path / "run"), silent)
    assert result.models["teacher"].validation == {}
