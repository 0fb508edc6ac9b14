"""build(): what it makes, what it refuses to name, and how it says so."""

import functools
import sys

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from kdistill.config.build import build, resolve, to_plain
from kdistill.errors import UserError

LINEAR = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, from which nothing stays imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("mine_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "torch.load",
        "torch.hub.load",
        "torch.nn.modules.module.torch.load",
        "torch.nn.parallel.distributed.os.system",
        "torch.nn.functional.torch.hub.load",
        "torch.nn.functional.conv2d",
        "torch.nn.init.normal_",
        "torch.nn.modules.module.OrderedDict",
        "torch.nn.Module.__init__.__globals__",
        "torch.nn.__class__",
        "torch.nn.modules",
        "torch.nn..os.system",
        "torch.nn.",
        "torch.nn",
        "torch.serialization.load",
        "torch.utils.cpp_extension.load_inline",
        "torchvision.models.resnet18",
        "torchvision.datasets.MNIST",
        "hydra.utils.get_method",
        "hydra.utils.instantiate",
        "builtins.open",
        "builtins.eval",
        "open",
        "",
        "..os.system",
        "kdistill.config.build.os.system",
        "kdistill.config.build.build",
        "kdistill.artifacts.files.write_text",
        "kdistill.models.network.torch.load",
        "kdistill.losses.loss.Path",
        "kdistill.data_evil.Thing",
        "pathlib.Path",
        "functools.partial",
        None,
        7,
        ["os.system"],
    ],
)
def test_refuses_what_nobody_trusted(target):
    with pytest.raises(UserError, match="_target_"):
        build({"_target_": target})


EVIL = {"_target_": "builtins.open", "file": "evil.txt", "mode": "w"}
DISGUISES = {
    "value": {**LINEAR, "bias": EVIL},
    "list": {**LINEAR, "bias": [1, [EVIL]]},
    "tuple": {**LINEAR, "bias": (EVIL,)},
    "dict": {**LINEAR, "bias": {"deep": {"deeper": EVIL}}},
    "arguments": {"_target_": "torch.nn.Sequential", "_args_": [EVIL]},
    "unbuilt": {**LINEAR, "_recursive_": False, "bias": EVIL},
    "partial": {**EVIL, "_partial_": True},
    "partial inside": {**LINEAR, "_partial_": True, "bias": {**EVIL, "_partial_": True}},
    "keys of its own": {"_target_": "torch.nn.Linear", "_target": "x", "in_features": EVIL},
    "target of a target": {"_target_": EVIL},
}


@pytest.mark.parametrize("config", DISGUISES.values(), ids=DISGUISES.keys())
@pytest.mark.parametrize("wrap", [dict, OmegaConf.create], ids=["plain", "omegaconf"])
def test_refuses_it_in_every_disguise(config, wrap, folder):
    with pytest.raises(UserError, match="builtins.open"):
        build(wrap(config))
    assert not (folder / "evil.txt").exists()


def test_a_name_is_refused_before_anything_is_imported(folder):
    (folder / "mine_trap.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(folder))
    with pytest.raises(UserError, match="KDISTILL_TRUST=mine_trap"):
        build({"_target_": "mine_trap.Net"})


@pytest.mark.parametrize(
    "text",
    [
        "${oc.create:{_target_: builtins.open, file: evil.txt, mode: w}}",
        r"\${oc.create:{_target_: builtins.open, file: evil.txt, mode: w}}",
        r"\\${oc.create:{_target_: builtins.open, file: evil.txt, mode: w}}",
    ],
)
@pytest.mark.parametrize("wrap", [dict, OmegaConf.create], ids=["plain", "omegaconf"])
def test_an_interpolation_never_becomes_a_target(text, wrap, folder):
    config = wrap({"_target_": "torch.nn.ParameterDict", "parameters": {"a": text}})
    if wrap is OmegaConf.create and text.startswith("$"):
        with pytest.raises(UserError, match="builtins.open"):
            build(config)
    else:
        assert "builtins.open" in build(config)["a"]
    assert not (folder / "evil.txt").exists()


def test_a_trusted_module_does_not_vouch_for_what_it_imports(folder, monkeypatch):
    (folder / "mine_net.py").write_text(
        "from os import system\nfrom torch import load\nimport os\n"
    )
    monkeypatch.setenv("KDISTILL_TRUST", "mine_net")
    for name in ("system", "load", "os", "os.system", "open", "__builtins__", "__loader__"):
        with pytest.raises(UserError):
            build({"_target_": f"mine_net.{name}"})


@pytest.mark.parametrize("trust", ["mine_net", "other:mine_net", " mine_net. ,x"])
def test_trust_reaches_a_module_in_the_current_folder(trust, folder, monkeypatch):
    (folder / "mine_net.py").write_text(
        "from torch import nn\n"
        "class Tiny(nn.Linear):\n    pass\n"
        "def wide(width):\n    return nn.Linear(width, 2)\n"
    )
    monkeypatch.setenv("KDISTILL_TRUST", trust)
    tiny = build({**LINEAR, "_target_": "mine_net.Tiny"})
    wide = build({"_target_": "mine_net.wide", "width": 5})
    assert type(tiny).__name__ == "Tiny"
    assert wide.in_features == 5


def test_trust_in_a_package_is_not_trust_in_longer_names(folder, monkeypatch):
    (folder / "mine_net_evil.py").write_text("class Net: pass")
    monkeypatch.setenv("KDISTILL_TRUST", "mine_net")
    with pytest.raises(UserError, match="not in a trusted package"):
        build({"_target_": "mine_net_evil.Net"})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("class Net:\n  def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("class Nets: pass", "did you mean Nets"),
    ],
)
def test_says_in_one_line_why_a_users_module_cannot_be_used(source, said, folder, monkeypatch):
    (folder / "mine_net.py").write_text(source)
    monkeypatch.setenv("KDISTILL_TRUST", "mine_net")
    with pytest.raises(UserError, match=said) as caught:
        build({"_target_": "mine_net.Net"}, key="student")
    assert str(caught.value).startswith("student._target_: ")
    assert "\n" not in str(caught.value)


def test_makes_nested_objects_lists_and_positional_arguments():
    made = build(
        {"_target_": "torch.nn.Sequential", "_args_": [LINEAR, {"_target_": "torch.nn.ReLU"}]}
    )
    assert [type(part) for part in made] == [nn.Linear, nn.ReLU]


def test_positional_arguments_of_the_caller_come_first():
    parameters = list(nn.Linear(2, 2).parameters())
    made = build({"_target_": "torch.optim.SGD", "lr": 0.5}, parameters)
    assert made.param_groups[0]["params"] == parameters
    assert made.param_groups[0]["lr"] == 0.5


def test_partial_waits_for_the_rest():
    made = build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5})
    assert isinstance(made, functools.partial)
    assert made(nn.Linear(2, 2).parameters()).defaults["lr"] == 0.5


def test_not_recursive_hands_over_configs():
    config = {
        "_target_": "torch.nn.ParameterDict",
        "_recursive_": False,
        "parameters": {"a": LINEAR},
    }
    assert build(config)["a"] == LINEAR


def test_offers_only_what_is_wanted_and_left_out(folder, monkeypatch):
    (folder / "mine_net.py").write_text(
        "class Net:\n"
        "    def __init__(self, classes, input_shape=None):\n"
        "        self.seen = classes, input_shape\n"
    )
    monkeypatch.setenv("KDISTILL_TRUST", "mine_net")
    offered = {"classes": 10, "input_shape": (1, 28, 28), "total_steps": 5}
    config = {"_target_": "mine_net.Net", "input_shape": None}
    assert build(config, offered=offered).seen == (10, (1, 28, 28))
    assert config == {"_target_": "mine_net.Net", "input_shape": None}
    assert build({**config, "classes": 3}, offered=offered).seen == (3, (1, 28, 28))


def test_an_omegaconf_value_arrives_plain_and_resolved():
    config = OmegaConf.create({"w": 4, "net": {**LINEAR, "in_features": "${w}"}})
    assert build(config.net).in_features == 4


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"_target_": "torch.optim.SGD", "_args_": [[torch.zeros(1)]], "lr": -1},
            "fit.optimizer: Invalid learning rate: -1",
        ),
        ({**LINEAR, "in_features": -3}, "fit.optimizer: .*negative"),
        ({**LINEAR, "in_feature": 3}, "fit.optimizer: .*in_feature"),
        ({**LINEAR, "_convert_": "all"}, "fit.optimizer._convert_: not known"),
        ({**LINEAR, "_call_": "os.system"}, "fit.optimizer._call_: not known"),
        ({"lr": 1}, "fit.optimizer._target_: missing"),
        (None, "fit.optimizer._target_: missing"),
        (
            {"_target_": "torch.nn.Sequential", "_args_": [{**LINEAR, "in_features": "x"}]},
            r"fit.optimizer._args_\[0\]: ",
        ),
        ({"_target_": "torch.nn.Linea"}, "fit.optimizer._target_: .*did you mean Linear"),
        ({"_target_": "torch.nn.nope.X"}, "fit.optimizer._target_: .*no module 'torch.nn.nope'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(config, said):
    with pytest.raises(UserError, match=said) as caught:
        build(config, key="fit.optimizer")
    assert "\n" not in str(caught.value)


def test_a_bug_of_ours_stays_a_bug(monkeypatch):
    monkeypatch.setattr("kdistill.models.mlp.MLP.__init__", lambda self: {}["gone"])
    with pytest.raises(KeyError, match="gone"):
        build({"_target_": "kdistill.models.mlp.MLP"})


def test_a_bug_of_the_users_is_one_line(folder, monkeypatch):
    (folder / "mine_net.py").write_text("class Net:\n    def __init__(self):\n        {}['gone']\n")
    monkeypatch.setenv("KDISTILL_TRUST", "mine_net")
    with pytest.raises(UserError, match="student: KeyError: 'gone'"):
        build({"_target_": "mine_net.Net"}, key="student")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"a": {"path": "???"}}, "a.path"),
        ({"a": {"b": "${nope}"}}, "a.b: .*nope"),
    ],
)
def test_to_plain_names_the_key_that_has_no_value(config, said):
    with pytest.raises(UserError, match=said) as caught:
        to_plain(OmegaConf.create(config))
    assert "\n" not in str(caught.value)


def test_resolve_gives_the_class_itself():
    assert resolve("torch.nn.Linear") is nn.Linear
