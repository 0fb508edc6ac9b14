"""The examples of the README do what it says: its files are written, its commands are run."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill.cli import main
from kdistill.library import load

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
QUICK = ["fit.epochs=2", "teacher.fit.epochs=1", "teacher.model.widths=[16]", "cache=false"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "mynet", raising=False)


def write_files_of_the_readme() -> None:
    """Each block whose first line names a file becomes that file."""
    for _, text in BLOCKS:
        if named := re.match(r"# (\S+\.(?:py|yaml))\n", text):
            path = Path(named[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def write_data() -> None:
    draw = np.random.default_rng(0)
    inputs, labels = draw.normal(size=(120, 6)).astype("float32"), np.arange(120) % 3
    train = {"train_inputs": inputs[:80], "train_labels": labels[:80]}
    np.savez("mine.npz", **train, test_inputs=inputs[80:], test_labels=labels[80:])


def test_own_model_data_and_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    write_files_of_the_readme()
    write_data()
    (command,) = (text for _, text in BLOCKS if text.startswith("KDISTILL_TRUST="))
    trust, kdistill, *words = shlex.split(command)
    assert kdistill == "kdistill"
    monkeypatch.setenv(*trust.split("=", 1))
    assert main([*words, *QUICK, "hydra.run.dir=run"]) == 0
    run = load("run")
    assert type(run.student.model).__name__ == "Tiny"
    assert run.config["loss"]["_target_"] == "mynet.Absolute"
    assert run.result.models["student"].cost.parameters == 6 * 32 + 32 + 32 * 3 + 3


def test_own_code_is_not_run_unless_trusted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_files_of_the_readme()
    Path("mynet.py").write_text("raise SystemExit('it was run')")
    monkeypatch.delenv("KDISTILL_TRUST", raising=False)
    assert main(["train", "--config-dir", "conf", "student=tiny", "dataset=digits"]) == 2
    assert "student._target_: mynet.Tiny is not in a trusted package" in capfd.readouterr().err


def test_library_example() -> None:
    (example,) = (text for text in PYTHON if "kdistill.distill(" in text)
    names: dict[str, object] = {}
    exec(compile(example, "README", "exec"), names)
    assert names["run"].result.dataset["test"] == 500
    assert Path("runs/mine/report.html").is_file()


def test_load_example() -> None:
    (example,) = (text for text in PYTHON if "kdistill.load(" in text)
    assert main(["train", "dataset=digits", "student.widths=[8]", *QUICK, "hydra.run.dir=run"]) == 0
    names = {"images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}
    example = "import kdistill\n" + re.sub(r'load\(".*?"\)', 'load("run")', example)
    exec(compile(example, "README", "exec"), names)
    assert names["logits"].shape == (2, 10)


def test_the_mistake_it_shows(capfd: pytest.CaptureFixture[str]) -> None:
    command, answer = re.search(r"\$ kdistill (.*)\n    (kdistill: .*)\n", README).groups()
    assert main(shlex.split(command)) == 2
    assert capfd.readouterr().err.strip() == answer
