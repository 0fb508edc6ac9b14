"""check, train, evaluate and report on a real run: tiny arrays and a user's own model and loss."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from kdistill.cli import main

MODEL = """
from torch import nn
from kdistill.losses.logits import Logits

class Tiny(nn.Sequential):
    def __init__(self, width, input_shape, classes):
        if width < 1:
            raise ValueError(f"width must be >= 1, got {width}")
        layers = nn.Flatten(), nn.Linear(input_shape[0], width), nn.Linear(width, classes)
        super().__init__(*layers)

class Half(Logits):
    pass
"""
STUDENT = "# kdistill train student=tiny\n# Mine.\n_target_: mine_tiny.Tiny\nwidth: 4\n"
WORDS = [
    "--config-dir=conf",
    "dataset=tensors",
    "dataset.path=mine.npz",
    "student=tiny",
    "device=cpu",
    "fit.epochs=1",
    "teacher.fit.epochs=1",
    "teacher.model.widths=[8]",
]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder as a user has it: mine_tiny.py, mine.npz and conf/student/tiny.yaml."""
    draw = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 200), ("test", 100)):
        labels = draw.integers(0, 3, count)
        arrays[f"{part}_labels"] = labels
        noise = draw.normal(size=(count, 6))
        arrays[f"{part}_inputs"] = (noise + 2 * labels[:, None]).astype(np.float32)
    np.savez(tmp_path / "mine.npz", **arrays)
    (tmp_path / "mine_tiny.py").write_text(MODEL)
    (tmp_path / "conf/student").mkdir(parents=True)
    (tmp_path / "conf/student/tiny.yaml").write_text(STUDENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KDISTILL_TRUST", "mine_tiny")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    sys.modules.pop("mine_tiny", None)


def test_a_users_run_is_planned_trained_measured_again_and_reported(desk, capsys):
    before = sorted(desk.rglob("*"))
    assert main(["check", *WORDS]) == 0
    planned = capsys.readouterr().out
    assert all(f"│ {stage} " in planned for stage in ("teacher", "signals", "student", "baseline"))
    assert "reused" not in planned
    assert [path for path in sorted(desk.rglob("*")) if "__pycache__" not in path.parts] == before

    assert main(["train", *WORDS]) == 0
    assert "student  epoch 1/1" in capsys.readouterr().out
    (result,) = Path("runs").rglob("result.json")
    run = result.parent

    assert main(["check", *WORDS]) == 0
    assert capsys.readouterr().out.count("reused") == 2  # the teacher and its answers

    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file()

    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 0
    assert "differs" not in capsys.readouterr().out
    stored = json.loads(result.read_text())
    stored["models"]["student"]["measures"]["errors"]["value"] += 1
    result.write_text(json.dumps(stored))
    assert main(["evaluate", str(run)]) == 1
    assert capsys.readouterr().out.count("differs") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["student.width=0"], "width must be >= 1, got 0"),
        (["student.with=3"], "did you mean width?"),
        (["+student.with=3"], "student.with: mine_tiny.Tiny has no parameter 'with'; did you mean"),
        (["~student.width"], "student.width: mine_tiny.Tiny needs a value"),
        (["student._target_=mine_tiny.Tin"], "student._target_: mine_tiny has no 'Tin'; did you m"),
        (["student._target_=torch.load"], "student._target_: torch.load is not in a trusted"),
        (["dataset.path=nope.npz"], "nope.npz"),
        (["loss.temperature=-1"], "kdistill: loss: temperature must be > 0, got -1"),
        (["loss.temperature=hot"], "loss.temperature: must be a number, got 'hot'"),
        (["fit.epochs=1.5"], "fit.epochs: must be a whole number, got 1.5"),
        (["dataset.path=true"], "dataset.path: must be text, got True"),
        (["fit.epochs=0"], "kdistill: fit: epochs must be >= 1"),
        (["teacher=none"], "teacher"),
        (["+experimen=mnist_ensemble"], "experimen: nothing reads this key; did you mean experim"),
        (["loss._target_=mine_tiny.Tiny", "~loss.temperature"], "loss"),
    ],
)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_mistake_is_one_line(command, words, said, desk, capfd):
    assert main([command, *WORDS, *words]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["evaluate", "report"])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "no such run folder"),
        ({}, "the run is not finished"),
        ({"failed.json": "{}"}, "the run failed"),
        ({"result.json": "{"}, "damaged JSON"),
        ({"result.json": "{}"}, "not a kdistill result"),
    ],
)
def test_what_is_not_a_run_is_told_in_one_line(command, files, said, tmp_path, capfd):
    run = tmp_path / "run"
    if files is not None:
        run.mkdir()
        for name, text in files.items():
            (run / name).write_text(text)
    assert main([command, str(run)]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert told.count("\n") == 1
