"""Inputs of several arrays go through a whole run: data, models and weights of a user's own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill.artifacts.figures import Shown
from kdistill.artifacts.run_folder import RunFolder
from kdistill.cli import main
from kdistill.errors import UserError
from kdistill.library import load
from kdistill.report.contents import read

MODULE = """
import torch
from torch import nn

from kdistill.data.batch import Dataset, Examples
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array, one_of

SPEC = {"tokens": Array((5,), torch.int64, below=20), "picture": Array((1, 2, 2), torch.uint8)}


def examples(count, seed, origin=""):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=draw)
    tokens = 6 * labels[:, None] + torch.randint(8, (count, 5), generator=draw)
    picture = torch.randint(256, (count, 1, 2, 2), generator=draw).to(torch.uint8)
    inputs = {"tokens": tokens, "picture": picture}
    return Examples(inputs, labels, torch.arange(count), origin=origin)


class Texts:
    def plan(self):
        return DatasetPlan("texts", "files", SPEC, ("a", "b", "c"), 120, 30, 60, 0)

    def load(self):
        train, held, test = examples(120, 0, "texts"), examples(30, 1), examples(60, 2)
        names = ("a", "b", "c")
        return Dataset("texts", "files", "f1", SPEC, one_of(names), names, train, held, test)


class Bag(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(20, width), nn.Linear(width + 4, classes)

    def forward(self, tokens, picture):
        assert picture.is_floating_point() and picture.max() <= 1
        return self.head(torch.cat([self.words(tokens), picture.flatten(1)], dim=1))
"""
WORDS = [
    *("--config-dir=conf", "dataset=texts", "student=bag", "student@teacher.model=bag"),
    *("teacher.model.width=12", "device=cpu", "device.precision=fp32"),
    *("teacher.fit.optimizer.lr=0.05", "teacher.fit.batch_size=32"),
    *("fit.epochs=4", "teacher.fit.epochs=4", "fit.optimizer.lr=0.05", "fit.batch_size=32"),
]


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KDISTILL_TRUST", "mine_texts")
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "mine_texts.py").write_text(MODULE)
    for option, text in (("dataset/texts", "Texts"), ("student/bag", "Bag\nwidth: 6")):
        file = tmp_path / f"conf/{option}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(f"# kdistill train\n# Mine.\n_target_: mine_texts.{text}\n")
    yield
    sys.modules.pop("mine_texts", None)


def test_a_run_is_checked_trained_opened_and_measured_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*WORDS, "teacher=ensemble", "teacher.members=2"]
    assert main(["check", *words]) == 0
    assert main(["train", *words, "hydra.run.dir=run"]) == 0
    assert main(["evaluate", "run"]) == 0
    assert "differs" not in capsys.readouterr().out
    run = load("run")
    assert run.result.models["student"].measures["accuracy"].value > 0.6
    assert run.result.signals["asked"] == 120
    test = sys.modules["mine_texts"].examples(60, 2)
    with torch.no_grad():
        probabilities = run.student(test.inputs).softmax(dim=1)
    torch.testing.assert_close(probabilities, run.predictions["student"])
    contents = read(RunFolder(Path("run")))
    assert contents.pictures == {}  # several arrays are no picture
    assert {case.input for case in contents.result.cases[0].cases} == {Shown()}

    file = RunFolder(Path("run")).student_config
    kept = file.read_text()
    assert "tokens:\n    shape:\n    - 5\n    dtype: int64\n    below: 20\n" in kept
    assert main(["train", *WORDS, "teacher=network", "teacher.weights=run"]) == 0
    file.write_text(kept.replace("int64", "load"))
    with pytest.raises(UserError, match=r"student.yaml: damaged; a dtype must be one of torch"):
        load("run")


ARRAYS = {"tokens": ((5,), np.int64), "picture": ((1, 2, 2), np.uint8)}


def mistake(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["train", *WORDS, "baseline=false", *words]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_inputs_without_labels_are_the_arrays_of_these_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inputs = {name: np.zeros((40, *shape), kind) for name, (shape, kind) in ARRAYS.items()}
    np.savez("more.npz", **inputs)
    unlabelled = ["transfer=unlabelled", "transfer.path=more.npz", "loss.hard_weight=0"]
    assert main(["train", *WORDS, *unlabelled, "baseline=false", "hydra.run.dir=run"]) == 0
    assert load("run").result.signals["asked"] == 40
    np.savez("more.npz", tokens=inputs["tokens"].astype(np.int32), picture=inputs["picture"])
    told = mistake(capsys, *unlabelled)
    assert "more.npz: inputs.tokens are int32 [5] each, they must be int64 [5]" in told
    np.savez("more.npz", inputs=inputs["tokens"].astype(np.float32))
    assert "must be the arrays tokens, picture, got one array" in mistake(capsys, *unlabelled)
    noise = mistake(capsys, "transfer=noise", "transfer.size=9", "loss.hard_weight=0")
    assert "Gaussian noise is one array of floats" in noise
    assert "several arrays; use transfer=train" in mistake(capsys, "transfer=shifted")
    derivatives = mistake(capsys, "loss=derivative_matching")
    assert "one array is needed here, and there are several: tokens, picture" in derivatives
