"""Mistakes in a user's own code and configs: a model, a loss, a YAML of theirs."""

import pytest

from kdistill.cli import main

MODULE = """
import torch
from torch import nn
from kdistill.losses.loss import Loss, logits_of


class Net(nn.Module):
    def __init__(self, input_shape, classes, width=4):
        super().__init__()
        size = torch.Size(input_shape).numel()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.Linear(width, classes))

    def forward(self, inputs):
        return self.layers(inputs)


class Fails(Net):
    def forward(self, inputs):
        raise KeyError("stem")


class FailsAtOnce(Net):
    def __init__(self, input_shape, classes):
        raise RuntimeError("no\\nidea")


class FailsInTraining(Net):
    def forward(self, inputs):
        assert not self.training, "only for eval"
        return super().forward(inputs)


class TwoAnswers(Net):
    def forward(self, inputs):
        return super().forward(inputs), 1


class TooMany(Net):
    def __init__(self, input_shape, classes):
        super().__init__(input_shape, classes + 1)


class Empty(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, inputs):
        return inputs.flatten(1)[:, : self.classes]


class NoModule:
    pass


class Half(Loss):
    def forward(self, student, teacher, batch):
        return {"total": (logits_of(student) - logits_of(teacher)).square().mean()}


class NoTotal(Half):
    def forward(self, student, teacher, batch):
        return {"half": super().forward(student, teacher, batch)["total"]}


class Bare(Half):
    def forward(self, student, teacher, batch):
        return super().forward(student, teacher, batch)["total"]


class PerSample(Half):
    def forward(self, student, teacher, batch):
        return {"total": logits_of(student).square().mean(dim=1)}


class Detached(Half):
    def forward(self, student, teacher, batch):
        return {"total": super().forward(student, teacher, batch)["total"].detach()}


class NoForward(Loss):
    pass
"""
WORDS = ["device=cpu", "dataset=digits", "fit.epochs=1", "hydra.run.dir=run"]
WORDS += ["teacher.fit.epochs=1", "teacher.model.widths=[8]", "--config-dir=conf"]


@pytest.fixture
def own(desk, monkeypatch):
    """mine_code.py, which is trusted, and an empty folder of configs."""
    monkeypatch.setenv("KDISTILL_TRUST", "mine_code,mine_broken")
    (desk / "mine_code.py").write_text(MODULE)
    for group in ("student", "loss"):
        (desk / "conf" / group).mkdir(parents=True)
    return desk


def option(own, group, text):
    (own / "conf" / group / "mine.yaml").write_text(text)


STUDENTS = [
    ("Fails", "student: mine_code.Fails cannot take inputs of shape [1, 8, 8]: 'stem'"),
    ("FailsAtOnce", "student: RuntimeError: no idea"),
    ("FailsInTraining", "student and loss: a step on two blank inputs fails: AssertionError: only"),
    (
        "TwoAnswers",
        "student: mine_code.TwoAnswers must answer with logits [batch, 10], got a tuple",
    ),
    (
        "TooMany",
        "student: mine_code.TooMany must answer two inputs of shape [1, 8, 8] with [2, 10]",
    ),
    ("Empty", "fit.optimizer: optimizer got an empty parameter list"),
    ("NoModule", "student: mine_code.NoModule is not a torch.nn.Module"),
    ("Nett", "student._target_: mine_code has no 'Nett'; did you mean Net?"),
]


@pytest.mark.parametrize(("name", "said"), STUDENTS)
def test_a_model_that_does_not_work(name, said, train, own):
    option(own, "student", f"_target_: mine_code.{name}\n")
    assert said in train("student=mine", small=WORDS)


MUST = "must return a dict of scalars with 'total'"
LOSSES = [
    ("NoTotal", f"loss: mine_code.NoTotal {MUST}, got the keys half"),
    ("Bare", f"loss: mine_code.Bare {MUST}, got a Tensor"),
    ("PerSample", f"{MUST}, 'total' is no scalar tensor"),
    ("Detached", "does not require grad"),
    ("NoForward", "NoForward defines no forward"),
    ("Net", "loss: mine_code.Net is not a kdistill.losses.loss.Loss; derive from it"),
]


@pytest.mark.parametrize(("name", "said"), LOSSES)
def test_a_loss_that_does_not_work(name, said, train, own):
    text = f"_target_: mine_code.{name}\n"
    option(own, "loss", text + "input_shape: [8]\nclasses: 3\n" if name == "Net" else text)
    assert said in train("loss=mine", small=WORDS)


BROKEN = [
    ("def f(:\n", "importing mine_broken failed: SyntaxError: "),
    ("import mine_absent\n", "importing mine_broken failed: No module named 'mine_absent'"),
    ("1 / 0\n", "importing mine_broken failed: ZeroDivisionError: division by zero"),
    (None, "there is no module 'mine_broken'"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_module_that_cannot_be_imported(text, said, train, own):
    if text:
        (own / "mine_broken.py").write_text(text)
    option(own, "student", "_target_: mine_broken.Net\n")
    told = train("student=mine", small=WORDS)
    assert told.startswith("student._target_: ")
    assert said in told


def test_a_module_that_nobody_trusts_is_not_imported(train, own, monkeypatch):
    monkeypatch.delenv("KDISTILL_TRUST")
    (own / "mine_code.py").write_text("open('imported', 'w').close()")
    option(own, "student", "_target_: mine_code.Net\n")
    told = train("student=mine", small=WORDS)
    assert told.endswith("not in a trusted package; if you trust it: KDISTILL_TRUST=mine_code")
    assert not (own / "imported").exists()


CONFIGS = [
    ("_target_: [", "mine.yaml"),
    ("width: 4\n", "student._target_: missing; it names the class to make"),
    (
        "_target_: mine_code.Net\nwidht: 4\n",
        "student.widht: mine_code.Net has no parameter 'widht'",
    ),
    ("_target_: mine_code.Net\nwidth: four\n", "student"),
    (
        "_target_: mine_code.Net\nwidth: ???\n",
        "student.width: it needs a value; give it as student",
    ),
    (
        "_target_: mine_code.Net\nwidth: ${nowhere}\n",
        "student.width: Interpolation key 'nowhere' no",
    ),
    ("defaults: [nothing]\n_target_: mine_code.Net\n", "nothing"),
    ("_target_: mine_code.Net\n_traget_: x\n", "student._traget_: "),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_config_that_is_wrong(text, said, train, own):
    option(own, "student", text)
    assert said in train("student=mine", small=WORDS)


def test_what_is_right_runs(own, capsys, monkeypatch):
    """So that no mistake above is one of the rest of the module."""
    option(own, "student", "_target_: mine_code.Net\n")
    option(own, "loss", "_target_: mine_code.Half\n")
    assert main(["train", *WORDS, "student=mine", "loss=mine", "baseline=false"]) == 0


def planted(*_, **__):
    raise ValueError("planted")


def test_a_fault_in_a_loss_of_ours_stays_a_traceback(desk, monkeypatch, capfd):
    """The rehearsal catches what a user's own modules raise."""
    monkeypatch.setattr("kdistill.losses.soft_targets.SoftTargets.forward", planted)
    assert main(["train", *WORDS[:-1], "student.widths=[8]"]) == 1
    told = capfd.readouterr().err
    assert told.startswith("Traceback")
    assert "ValueError: planted" in told


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("kdistill.report.contents.read_pictures", "report"),
        ("kdistill.report.html.matrices", "report"),
        ("kdistill.artifacts.arrays.checksum", "evaluate"),
        ("kdistill.library.load_weights", "evaluate"),
    ],
)
def test_a_fault_in_a_reader_of_ours_stays_a_traceback(place, command, run_folder, monkeypatch):
    """The doors catch what libraries raise over bad content."""
    monkeypatch.setattr(place, planted)
    with pytest.raises(ValueError, match=r"^planted$"):
        main([command, "old"])
