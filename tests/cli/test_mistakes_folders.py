"""Mistakes about weights and run folders, a stranger's among them, and disks that refuse."""

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from kdistill.cli import main
from kdistill.models.mlp import MLP

SMALL = [
    *("device=cpu", "dataset=digits", "fit.epochs=1", "hydra.run.dir=run", "student.widths=[8]"),
    *("teacher.fit.epochs=1", "teacher.model.widths=[8]"),
]
COMMAND = "echo trapped > trapped"
SYSTEM = {"_target_": "os.system", "command": COMMAND}
DEVICE = {"_target_": "kdistill.engine.process.Process"}
LOAD = {"_target_": "torch.load", "f": "trap.pt", "weights_only": False}
TAGGED = f'!!python/object/apply:os.system ["{COMMAND}"]\n'


class Trap:
    """A pickle of this runs a command when it is read."""

    def __reduce__(self):
        return os.system, (COMMAND,)


@pytest.fixture(autouse=True)
def nothing_ran(desk):
    """After whatever the test did, the command of the traps has not run."""
    torch.save(Trap(), desk / "trap.pt")
    yield
    assert not (desk / "trapped").exists()


def test_the_traps_work(desk):
    torch.load(desk / "trap.pt", weights_only=False)
    (desk / "trapped").unlink()


def state(widths=(8,), size=8, classes=10):
    model = MLP(widths, (1, size, size), classes)
    return {name: value.clone() for name, value in model.state_dict().items()}


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])
    return path


def flipped(path, at):
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0xFF
    path.write_bytes(whole)
    return path


def safe(desk, **changed):
    save_file(state(**changed), desk / "w.safetensors")
    return desk / "w.safetensors"


def saved(desk, thing):
    torch.save(thing, desk / "w.pt")
    return desk / "w.pt"


def written(desk, data):
    (desk / "w.pt").write_bytes(data)
    return desk / "w.pt"


WEIGHTS = [
    (lambda desk: desk / "gone.pt", "gone.pt: no such file"),
    (lambda desk: desk / "trap.pt", "trap.pt: not a readable file of plain weights"),
    (lambda desk: written(desk, pickle.dumps(Trap())), "w.pt: not a readable file of plain weigh"),
    (lambda desk: saved(desk, {**state(), "x": Trap()}), "w.pt: not a readable file of plain wei"),
    (lambda desk: saved(desk, MLP([8], (1, 8, 8), 10)), "torch.save(model.state_dict(), path)"),
    (lambda desk: saved(desk, {"weight": 3}), "w.pt: does not hold a state_dict of tensors"),
    (lambda desk: written(desk, b"<html>"), "w.pt: not a readable file of plain weights"),
    (lambda desk: cut(saved(desk, state())), "w.pt: not a readable file of plain weights"),
    (lambda desk: cut(safe(desk)), "w.safetensors: not a readable .safetensors file"),
    (lambda desk: flipped(safe(desk), 5), "w.safetensors: not a readable .safetensors file"),
    (lambda desk: flipped(safe(desk), 12), "w.safetensors: not a readable .safetensors file"),
    (
        lambda desk: safe(desk, widths=(9,)),
        "'model.hidden.0.weight' is [9, 64] in the file, [8, 64]",
    ),
    (lambda desk: safe(desk, widths=()), "the file has no 'model.hidden.0.weight'"),
    (lambda desk: safe(desk, classes=3), "'model.output.weight' is [3, 8] in the file, [10, 8] in"),
    (lambda desk: safe(desk, size=28), "'model.hidden.0.weight' is [8, 784] in the file, [8, 64]"),
]


@pytest.mark.parametrize(("prepare", "said"), WEIGHTS)
def test_weights_of_a_teacher(prepare, said, train, desk):
    path = prepare(desk)
    told = train(f"teacher.weights={path}", small=SMALL)
    assert told.startswith(str(path))
    assert said in told


def without(*names):
    def prepare(folder):
        for name in names:
            (folder / name).unlink()

    return prepare


def text(name, words):
    return lambda folder: (folder / name).write_text(words)


def student(**changed):
    """student.yaml with other keys."""

    def prepare(folder):
        about = yaml.safe_load((folder / "student.yaml").read_text())
        (folder / "student.yaml").write_text(yaml.safe_dump({**about, **changed}))

    return prepare


def config(**changed):
    """config.yaml with other groups."""

    def prepare(folder):
        whole = yaml.safe_load((folder / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump({**whole, **changed}))

    return prepare


def result(**changed):
    """result.json with other keys."""

    def prepare(folder):
        whole = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**whole, **changed}))

    return prepare


def lacking(group):
    """config.yaml without one of its groups."""

    def prepare(folder):
        whole = yaml.safe_load((folder / "config.yaml").read_text())
        del whole[group]
        (folder / "config.yaml").write_text(yaml.safe_dump(whole))

    return prepare


def shorter(name):
    return lambda folder: cut(folder / name)


def tensors(name, change):
    """`name` with each of its tensors changed."""

    def prepare(folder):
        kept = load_file(folder / name)
        save_file({key: change(value).contiguous() for key, value in kept.items()}, folder / name)

    return prepare


GIANT = {"_target_": "kdistill.models.mlp.MLP", "widths": [70_000, 70_000]}
SMALL_MLP = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}


def scaled_by(mean):
    pixels = {"_target_": "kdistill.models.preprocessing.Pixels", "mean": mean, "std": 1.0}
    return {**SMALL_MLP, "preprocessing": pixels}


TEACHERS = [
    *(
        (student(model=scaled_by(mean)), "model.preprocessing.mean: must be")
        for mean in (None, {}, SMALL_MLP)
    ),
    (student(model=GIANT), "teacher.model takes 19.6 GB or more, which is more than"),
    (tensors("student.safetensors", lambda one: one.int()), "is int32 in the file, float32 in the"),
    (tensors("student.safetensors", lambda one: one / 0), "holds NaN or infinity"),
    (without("student.safetensors", "result.json"), "old/student.safetensors: no such file"),
    (without("student.yaml"), "has no student.yaml; give the folder of a run of `kdistill train`"),
    (shorter("student.safetensors"), "old/student.safetensors: not a readable .safetensors file"),
    (text("student.yaml", "model: ["), "old/student.yaml: damaged YAML"),
    (text("student.yaml", TAGGED), "old/student.yaml: damaged YAML"),
    (student(model=SYSTEM), "_target_: os.system is not in a trusted package"),
    (student(model=LOAD), "_target_: torch.load is not in a trusted package"),
    (student(model={"_target_": "torch.nn.Sequential", "_args_": [SYSTEM]}), "os.system is not in"),
    (student(model=7), "student.yaml: damaged"),
]


@pytest.mark.parametrize(("spoil", "said"), TEACHERS)
def test_a_run_folder_as_teacher(spoil, said, train, run_folder):
    spoil(run_folder)
    assert said in train("teacher.weights=old", small=SMALL)


def test_a_teacher_for_pictures_of_another_size(train, run_folder, desk):
    """A run on 8x8 digits teaches nobody about 28x28 digits."""
    words = [word for word in SMALL if not word.startswith("dataset")]
    told = train("teacher.weights=old", "dataset=mnist", "dataset.source=bundled", small=words)
    assert told.startswith("old: does not fit the model: 'model.hidden.0.weight' is [8, 64] in the")


EVALUATED = [
    (student(model=scaled_by(None)), "model.preprocessing.mean: must be"),
    (config(measure={}), "measure: renamed; use task=..."),
    (lacking("device"), "old/config.yaml: damaged: device is missing, perhaps it was cut short"),
    (config(dataset=DEVICE), "dataset: kdistill.engine.process.Process is not a kdistill.data.pla"),
    (student(model=GIANT), "model takes 19.6 GB or more, which is more than"),
    (student(input_shape=[1, 0]), "old/student.yaml: damaged; a shape must be a list of whole"),
    (tensors("student.safetensors", lambda one: one / 0), "holds NaN or infinity"),
    (
        tensors("predictions.safetensors", lambda one: one[:7]),
        "old/predictions.safetensors: damaged; it is not of the test data of the run",
    ),
    (without("result.json"), "old: no result.json, the run is not finished"),
    (text("result.json", "{"), "old/result.json: damaged JSON"),
    (result(schema=99), "old/result.json: written by a newer kdistill (schema 99, this one reads"),
    (result(models=3), "old/result.json: not a kdistill result (models is int, not dict)"),
    (shorter("student.safetensors"), "old/student.safetensors: not a readable .safetensors file"),
    (without("student.safetensors"), "old/student.safetensors: no such file"),
    (shorter("predictions.safetensors"), "old/predictions.safetensors: not a readable .safetenso"),
    (without("config.yaml"), "old/config.yaml: no such file"),
    (text("config.yaml", "a: ["), "old/config.yaml: damaged"),
    (text("config.yaml", TAGGED), "old/config.yaml: damaged"),
    (text("student.yaml", TAGGED), "old/student.yaml: damaged"),
    (student(model=SYSTEM), "_target_: os.system is not in a trusted package"),
    (student(model=LOAD), "_target_: torch.load is not in a trusted package"),
    (student(input_shape=3), "old/student.yaml: damaged"),
    (config(dataset=SYSTEM), "dataset._target_: os.system is not in a trusted package"),
    (config(student=LOAD), "student._target_: torch.load is not in a trusted package"),
    (config(task={"_target_": "kdistill.tasks.classification.Classification", "x": SYSTEM}),
     "task.x"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), EVALUATED)
def test_evaluating_what_is_no_whole_run(spoil, said, mistake, run_folder):
    spoil(run_folder)
    assert said in mistake("evaluate", "old")


def test_evaluating_on_data_that_have_changed(mistake, run_folder):
    dataset = yaml.safe_load((run_folder / "config.yaml").read_text())["dataset"]
    config(dataset={**dataset, "split_seed": 1})(run_folder)
    assert "old: the data are not those of the run" in mistake("evaluate", "old")


def test_evaluating_on_a_device_that_is_none(mistake, run_folder):
    told = mistake("evaluate", "old", "--device", "gpu")
    assert "kind must be one of auto, cpu, cuda, mps, got gpu" in told


REPORTED = [
    (without("result.json"), "old: no result.json, the run is not finished"),
    (result(schema=99), "old/result.json: written by a newer kdistill"),
    (
        text("history.jsonl", "{}\nnonsense\n{}\n"),
        "old/history.jsonl:2: damaged; it must be a line",
    ),
    (text("history.jsonl", "{}\n"), "old/history.jsonl:1: damaged (stage is missing); delete it"),
    (shorter("predictions.safetensors"), "old/predictions.safetensors: not a readable .safetenso"),
    (
        tensors("predictions.safetensors", lambda one: one[0]),
        "old/predictions.safetensors: damaged",
    ),
    (tensors("gallery.safetensors", lambda one: one + 1000), "old/gallery.safetensors: damaged"),
]


@pytest.mark.parametrize(("spoil", "said"), REPORTED)
def test_reporting_what_is_no_whole_run(spoil, said, mistake, run_folder):
    spoil(run_folder)
    assert said in mistake("report", "old")


@pytest.mark.parametrize("command", ["report", "evaluate", "resume"])
def test_a_file_is_no_run_folder(command, mistake, desk):
    (desk / "runs.txt").write_text("mine")
    assert mistake(command, "runs.txt").startswith("runs.txt: no ")


CUT_SHORT = "old/config.yaml: damaged: device is missing, perhaps it was cut short; restore it or"
STRANGE = [
    (lacking("device"), CUT_SHORT),
    (config(device=3), "old/config.yaml: damaged: device must be a config of keys and values"),
    (config(dataset=3), "dataset: must be a config of keys and values, got 3"),
    (config(fit=DEVICE), "fit: kdistill.engine.process.Process is not a kdistill.engine.fit.Fit;"),
    (text("config.yaml", "{}"), "old/config.yaml: empty, as kdistill.distill leaves it"),
    (config(student=SYSTEM), "student._target_: os.system is not in a trusted package"),
    (config(loss=LOAD), "loss._target_: torch.load is not in a trusted package"),
    (config(teacher=SYSTEM), "teacher._target_: os.system is not in a trusted package"),
    (text("config.yaml", TAGGED), "old/config.yaml: damaged"),
    (text("config.yaml", "a: ["), "old/config.yaml: damaged"),
    (without("config.yaml"), "old: no run to go on with; it holds no config.yaml"),
]


@pytest.mark.parametrize(("spoil", "said"), STRANGE)
def test_resuming_a_strangers_run(spoil, said, run_folder, desk, capfd):
    (run_folder / "result.json").unlink()
    spoil(run_folder)
    assert main(["resume", "old"]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert told.startswith("kdistill: ")
    assert told.count("\n") == 1


def test_reporting_a_strangers_run_builds_nothing(run_folder, desk, capsys):
    config(student=SYSTEM, dataset=LOAD)(run_folder)
    student(model=SYSTEM)(run_folder)
    assert main(["report", "old"]) == 0


def test_repeating_a_strangers_run(train, run_folder):
    saved_config = run_folder / ".hydra/config.yaml"
    whole = yaml.safe_load(saved_config.read_text())
    saved_config.write_text(yaml.safe_dump({**whole, "loss": SYSTEM}))
    words = ["--config-path", "old/.hydra", "--config-name", "config", "hydra.run.dir=run"]
    assert "loss._target_: os.system is not in a trusted package" in train(small=words)


def test_a_folder_that_holds_another_run(mistake, run_folder):
    small = [word for word in SMALL if not word.startswith("hydra")]
    words = ["seed=5", "hydra.run.dir=old"]
    told = mistake("train", *small, *words)
    assert told.startswith(f"{run_folder}: holds a")


@pytest.mark.parametrize("folder", ["taken", "taken/run"])
def test_a_file_in_the_place_of_the_run_folder(folder, mistake, desk):
    (desk / "taken").write_text("mine")
    words = [word for word in SMALL if not word.startswith("hydra")]
    told = mistake("train", *words, f"hydra.run.dir={folder}")
    assert "taken" in told


def test_a_file_in_the_place_of_the_cache(mistake, desk, monkeypatch):
    (desk / "taken").write_text("mine")
    monkeypatch.setenv("KDISTILL_CACHE", "taken")
    told = mistake("train", *SMALL)
    assert "taken" in told


@pytest.mark.parametrize(
    "full", ["student.safetensors", "config.yaml", "teacher.json", "result.json"]
)
def test_no_space_left(full, mistake, run_folder, desk, monkeypatch):
    """The disk is full when a file of the run is flushed: nothing takes that file's name."""
    flush = os.fsync

    def fsync(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        if f".{full}." in name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    told = mistake("train", *SMALL)
    assert f"{full}: cannot be written (No space left on device)" in told
    assert not list(desk.glob(f"run/{full}")) + list(desk.glob(f"cache/*/*/{full}"))


def test_no_space_left_for_a_report_keeps_the_old_one(mistake, run_folder, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    told = mistake("report", "old")  # which also looks that every file of old/ is as it was
    assert "old/report." in told
    assert "No space left on device" in told


def test_a_stranger_is_refused_by_the_installed_command(run_folder, desk):
    student(model=SYSTEM)(run_folder)
    command = [sys.executable, "-m", "kdistill", "evaluate", "old"]
    done = subprocess.run(command, cwd=desk, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("kdistill: ")
    assert "os.system is not in a trusted package" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["report"], ["resume"], ["check", *SMALL, "teacher.weights="]])
def test_a_name_that_no_file_can_have(command, mistake):
    *words, last = command
    told = mistake(*words, *([f"{last}{'x' * 5000}"] if words else [last, "x" * 5000]))
    assert told.endswith(": no such file, its name is too long")
