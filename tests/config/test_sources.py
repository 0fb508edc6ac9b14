"""Sources: a trained teacher's name is the closure of the code that made it, and nothing else."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdistill.config.sources import source_hashes

PACKAGE = Path(__file__).parents[2] / "kdistill"
# a process reads a file once: one for each change, which begins where all is imported
NAMES = """
import json, os, sys
from pathlib import Path
from kdistill.teachers.network import NetworkTeacher

models = {
    "mlp": {"_target_": "kdistill.models.mlp.MLP", "widths": [4]},
    "resnet": {"_target_": "kdistill.models.resnet.ResNet", "depth": 8},
}
loss = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
fit = {"_target_": "kdistill.engine.fit.Fit", "epochs": 1, "batch_size": 1, "optimizer": {}}
for change in sys.argv[1:]:
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    file = Path("kdistill", change)
    before = file.read_text() if file.exists() else None
    file.write_text(f"{before or ''}\\n# changed\\n")
    names = {name: NetworkTeacher(m, loss, fit).name("data", "fp32") for name, m in models.items()}
    file.unlink() if before is None else file.write_text(before)
    print(json.dumps([change, names]), flush=True)
    os._exit(0)
"""


def test_a_teacher_has_another_name_where_code_that_made_it_has_changed(tmp_path: Path) -> None:
    """Each change by itself, in a copy of kdistill."""
    shutil.copytree(PACKAGE, tmp_path / "kdistill", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(PACKAGE.parent / "configs", tmp_path / "kdistill" / "configs")
    both = {"engine/fit.py", "engine/stop.py", "teachers/network.py", "losses/hard_labels.py"}
    neither = {"losses/x.py", "losses/soft_targets.py", "models/lenet.py", "data/mnist.py"}
    neither |= {"teachers/rbm.py", "__init__.py", "models/__init__.py", "pipeline.py"}
    one = {"models/mlp.py": {"mlp"}, "models/resnet.py": {"resnet"}}
    changes = ["none", *both, *neither, *one]
    command = [sys.executable, "-c", NAMES, *changes]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    names = dict(map(json.loads, done.stdout.splitlines()))
    assert names.keys() == set(changes)
    unchanged = names["none"]
    for change, of in names.items():
        changed = {model for model, name in of.items() if name != unchanged[model]}
        expected = {"mlp", "resnet"} if change in both else one.get(change, set())
        assert changed == expected, change


Hashes = Callable[..., dict[str, str]]


@pytest.fixture
def hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hashes:
    """What counts for a target in a user's files {path: content}, which lie in a new folder."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("KDISTILL_TRUST", "mine")

    def of(target: str, files: dict[str, str], folder: str = ".") -> dict[str, str]:
        root = tmp_path / str(len(list(tmp_path.iterdir()))) / folder
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        monkeypatch.setattr(sys, "path", [str(root), *sys.path])
        for name in [*sys.modules]:
            if name.split(".")[0] in ("mine", "helper"):
                monkeypatch.delitem(sys.modules, name)
        return source_hashes({"_target_": target, "inner": {"_target_": "torch.nn.Linear"}})

    return of


NET = "class Net: pass\n"


@pytest.mark.parametrize(
    "statement", ["import helper", "from helper import x", "import helper as h"]
)
def test_a_module_counts_with_what_it_imports_anywhere(hashes: Hashes, statement: str) -> None:
    files = {
        "mine.py": f"{NET}def f():\n    {statement}\n",
        "helper.py": "import deeper\n",
        "deeper.py": "not Python (",
        "unrelated.py": "x = 1\n",
    }
    before = hashes("mine.Net", files)
    assert before.keys() == {"mine", "helper", "deeper"}  # torch counts by its version
    assert hashes("mine.Net", {**files, "unrelated.py": "x = 2\n"}) == before
    after = hashes("mine.Net", {**files, "deeper.py": "still not ("})
    assert {name for name in before if before[name] != after[name]} == {"deeper"}


def test_imports_inside_a_package_are_followed(hashes: Hashes) -> None:
    files = {
        "mine/__init__.py": "",
        "mine/nets/__init__.py": '"""Networks."""\n',
        "mine/nets/tiny.py": f"from ..parts import layers\nfrom . import base\n{NET}",
        "mine/nets/base.py": "from .bits import *\nimport mine.deep.one\n",
        "mine/nets/bits.py": "from kdistill.losses.soft_targets import SoftTargets\n",
        "mine/nets/other.py": "x = 1\n",
        "mine/parts/layers.py": "from torch import nn\nfrom kdistill import errors\n",
        "mine/deep/__init__.py": "from . import two\n",
        "mine/deep/one.py": "x = 1\n",
        "mine/deep/two.py": "x = 1\n",
    }
    found = hashes("mine.nets.tiny.Net", files)
    assert {name for name in found if name.startswith("mine")} == {
        *("mine.nets.tiny", "mine.nets.base", "mine.nets.bits", "mine.parts.layers"),
        *("mine.deep", "mine.deep.one", "mine.deep.two"),  # its __init__ has code
    }
    assert "kdistill.losses.divergence" in found  # what SoftTargets is made of
    assert not [name for name in found if "errors" in name or "hard_labels" in name]


def test_a_class_counts_where_it_is_written_and_where_it_was_named(hashes: Hashes) -> None:
    files = {"mine/__init__.py": "from .net import Net\n", "mine/net.py": NET, "mine/x.py": ""}
    assert hashes("mine.Net", files).keys() == {"mine", "mine.net"}


def test_an_installed_package_counts_whole(hashes: Hashes) -> None:
    files = {"mine/__init__.py": NET, "mine/found_by_name.py": "", "helper.py": ""}
    found = hashes("mine.Net", files, "site-packages")
    assert found.keys() == {"mine/__init__.py", "mine/found_by_name.py"}
    assert hashes("mine.Net", {"mine.py": NET}, "site-packages").keys() == {"mine.py"}
