"""A desk as a user has it, and the one way in which every mistake there is told."""

import json
import sys
from pathlib import Path
from shutil import copytree

import pytest
import yaml
from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from safetensors import safe_open

from kdistill.cli import main

SMALL = [
    "device=cpu",
    "dataset=digits",
    "student.widths=[8]",
    "teacher.model.widths=[8]",
    "fit.epochs=1",
    "teacher.fit.epochs=1",
    "hydra.run.dir=run",
]
# what a run keeps of a trained or measured model: a mistake that is told before leaves none of it
RESULTS = ("*.safetensors", "result.json", "history.jsonl", "report.*")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty current folder with a cache in it; what is imported from there is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KDISTILL_TRUST", raising=False)
    monkeypatch.delenv("KDISTILL_CONFIGS", raising=False)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        del sys.modules[name]


@pytest.fixture
def mistake(desk, capfd):
    """Run `kdistill WORDS` and return the one line that it must tell, with exit code 2.

    What lay on the desk stays byte for byte (a log may grow), and nothing half-written is left.
    """

    def tell(*words):
        before = contents(desk)
        code = main([str(word) for word in words])
        told = capfd.readouterr().err
        assert code == 2, told
        assert told.startswith("kdistill: ")
        assert told.endswith("\n")
        assert told.count("\n") == 1, told
        after = contents(desk)
        for path, content in before.items():
            kept = after[path][: len(content)] if path.endswith("train.log") else after[path]
            assert kept == content, path
        made = [desk / path for path in after.keys() - before.keys()]
        for path in made:
            refuse_half_written(path)
        for path in made:
            if path.name == "failed.json":
                assert json.loads(path.read_text())["message"] in told
        return told.removeprefix("kdistill: ").removesuffix("\n")

    return tell


@pytest.fixture
def train(mistake, desk, monkeypatch):
    """`mistake` of a small run in the folder `run`, told before anything is trained."""
    # to find this out, Hydra composes the whole config once more
    monkeypatch.setattr(Hydra, "get_mode", lambda *_, **config: RunMode.RUN)

    def tell(*words, small=SMALL):
        told = mistake("train", *small, *words)
        for pattern in RESULTS:
            assert not list((desk / "run").glob(pattern)), told
        assert not list((desk / "cache").rglob("*.safetensors")), told
        return told

    return tell


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a small finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDISTILL_CACHE", str(folder.parent / "cache"))
        assert main(["train", *SMALL, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def run_folder(finished, desk):
    """A copy of that run on the desk: old/."""
    return Path(copytree(finished, desk / "old"))


def contents(folder):
    """The bytes of every file below `folder`, locks aside."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.suffix != ".lock" and path.name != ".lock"
    }


def refuse_half_written(path):
    """Every file that a failed run leaves can be read to its end, and none is a sibling."""
    assert not path.name.endswith(".tmp"), path
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".jsonl":
        assert all(json.loads(line) for line in path.read_text().splitlines())
    elif path.suffix == ".yaml":
        yaml.safe_load(path.read_text())
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            assert file.keys()
