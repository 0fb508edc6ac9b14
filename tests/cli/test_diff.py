"""`kdistill diff A B`: two runs on one screen, or one line for what cannot be compared."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from kdistill.cli import main

N = 40


def measure(value, unit="count", better="lower"):
    return {"value": value, "n": N, "interval": None, "unit": unit, "better": better}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A: wrong about everything but the last five; B: wrong about those alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    labels = torch.arange(N) % 3
    right = torch.arange(N) >= N - 5
    for name, correct, temperature in (("A", right, 4), ("B", ~right, 20)):
        folder = tmp_path / name
        folder.mkdir()
        answers = torch.where(correct, labels, (labels + 1) % 3)
        kept = {
            "index": 700 + torch.arange(N),
            "target": labels,
            "student.error": (~correct).float(),
            "student.answer": answers,
            "student.confidence": torch.full((N,), 0.9),
        }
        save_file(kept, folder / "cases.safetensors")
        config = f"seed: 0\nname: {name}\nloss: {{temperature: {temperature}}}\n"
        (folder / "config.yaml").write_text(config)
        errors = int((~correct).sum())
        measures = {"errors": measure(errors), "nll": measure(errors / 8, "nats")}
        result = {
            "experiment": "x",
            "seed": 0,
            "config_hash": "0",
            "main": "errors",
            "seconds": {},
            "dataset": {"name": "pets", "classes": ["cat", "dog", "owl"]},
            "models": {"student": {"measures": measures}, "teacher": None, "baseline": None},
            "compression": {},
            "gain": {"test": "McNemar", "measures": ["errors", "accuracy"]},
            "signals": {},
            "environment": {},
            "schema": 2,
        }
        (folder / "result.json").write_text(json.dumps(result))
    return tmp_path


def test_config_measures_and_changed_answers_on_one_screen(runs, capsys):
    assert main(["diff", "A", "B"]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["loss.temperature", "4", "20"] in lines
    assert ["name", "A", "B"] in lines
    assert not any(line[:1] == ["seed"] for line in lines)
    errors = "Student distilled Errors 35 5 -30 better p = 1e-6"  # 2 * P(at most 5 of 40)
    assert errors.split() in lines
    assert "Student distilled NLL 4.375 0.6250 -3.750 better".split() in lines  # noqa: SIM905
    assert "fixed: 35 of 40" in shown
    assert "broken: 5 of 40" in shown
    assert "changed: 0 of 40" in shown
    assert "700 is cat: dog 90% > cat 90%" in shown
    assert "735 is owl: owl 90% > cat 90%" in shown
    assert "709 is cat: dog" in shown
    assert "710 " not in shown  # the first ten alone
    assert len(lines) <= 40
    assert max(map(len, shown.splitlines())) <= 100


def test_the_same_run_twice_has_nothing_to_tell(runs, capsys):
    assert main(["diff", "A", "A"]) == 0
    shown = capsys.readouterr().out
    assert "no key differs" in shown
    assert shown.count("same") == 2
    assert "fixed: 0 of 40" in shown


def test_long_differences_of_configs_are_cut(runs, capsys):
    keys = "".join(f"key{n}: 1\n" for n in range(20))
    (runs / "B/config.yaml").write_text(keys)
    assert main(["diff", "A", "B"]) == 0
    assert "and 11 more" in capsys.readouterr().out  # of three keys gone and twenty new


def test_without_the_same_examples_only_figures_are_compared(runs, capsys):
    kept = load_file(runs / "B/cases.safetensors")
    save_file({**kept, "index": kept["index"] + 1}, runs / "B/cases.safetensors")
    assert main(["diff", "A", "B"]) == 0
    shown = capsys.readouterr().out
    assert "no answers to the same examples" in shown
    assert "p =" not in shown
    assert "fixed" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A"], "B"),
        (["A", "nodir"], "nodir: no such run folder"),
        (["empty", "A"], "empty: no result.json, the run is not finished"),
        (["A", "other"], "the runs are of different data sets: pets and digits"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(words, said, runs, capfd):
    (runs / "empty").mkdir()
    (runs / "other").mkdir()
    stored = json.loads((runs / "A/result.json").read_text())
    stored["dataset"]["name"] = "digits"
    (runs / "other/result.json").write_text(json.dumps(stored))
    assert main(["diff", *words]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert told.count("\n") == 1
