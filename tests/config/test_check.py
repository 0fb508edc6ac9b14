"""check(): every `_target_` is bound to its signature before anything runs."""

import pytest

from kdistill.config.check import GROUPS, check
from kdistill.errors import UserError

WHOLE = {**dict.fromkeys(GROUPS), "name": "n", "seed": 0, "baseline": True, "cache": True}
LINEAR = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"student": {**LINEAR, "in_feature": 4}},
            "student.in_feature: torch.nn.Linear has no parameter 'in_feature'; did you mean in",
        ),
        (
            {"student": {"_target_": "torch.nn.ReLU", "zzz": 4}},
            r"ReLU has no parameter 'zzz'; it has inplace \(to drop it: ~student.zzz\)$",
        ),
        (
            {"loss": {"_target_": "kdistill.losses.logits.Logits", "temperature": 4}},
            r"no parameter 'temperature'; it has none \(to drop it: ~loss.temperature\)$",
        ),
        (
            {"student": {"_target_": "torch.nn.Linear", "in_features": 3}},
            "student.out_features: torch.nn.Linear needs a value for it",
        ),
        (
            {"fit": {"steps": [{"_target_": "torch.optim.AdamW", "lrr": 1}]}},
            r"fit.steps\[0\].lrr: .*did you mean lr\?$",
        ),
        ({"m": {**LINEAR, "in_features": 2.0}}, "m.in_features: must be a whole number, got 2.0"),
        ({"m": {**LINEAR, "in_features": True}}, "m.in_features: must be a whole number, got True"),
        ({"m": {**LINEAR, "bias": "no"}}, "m.bias: must be true or false, got 'no'"),
        ({"m": {**LINEAR, "bias": [True]}}, r"m.bias: must be true or false, got \[True\]"),
        ({"m": {"_target_": "torch.nn.Dropout", "p": "x"}}, "m.p: must be a number, got 'x'"),
        ({"m": {**LINEAR, "in_features": None}}, "m.in_features: must be a whole number, got None"),
        ({"m": {**LINEAR, "in_features": {"a": 1}}}, "m.in_features: must be a whole number, got"),
        ({"m": {"_target_": "torch.optim.AdamW", "lr": "fast"}}, "m.lr: must be a number, got 'f"),
        ({"seed": "one"}, "seed: must be a whole number, got 'one'"),
        ({"baseline": "maybe"}, "baseline: must be true or false, got 'maybe'"),
        ({"cache": 1}, "cache: must be true or false, got 1"),
        ({"name": 3}, "name: must be text, got 3"),
        ({"name": ""}, "name: must not be empty"),
        ({7: 1}, "7: texts and numbers are mixed among the keys there; quote them"),
        ({"mine": [{1: "a", "b": 2}]}, r"mine\[0\].b: texts and numbers are mixed"),
        ({"experimen": "mnist_ensemble"}, "experimen: nothing reads .*did you mean experiment"),
        ({"losss": 1}, "losss: nothing reads this key; did you mean loss"),
        ({"student": {"_target_": "torch.nn.Linea"}}, "student._target_: .*did you mean Linear"),
        ({"loss": {"x": {"_target_": "os.system"}}}, "loss.x._target_: os.system is not in a trus"),
    ],
)
def test_names_the_key_that_does_not_fit(config, said):
    with pytest.raises(UserError, match=said) as caught:
        check({**WHOLE, **config})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "node",
    [
        LINEAR,
        {"_target_": "torch.nn.Linear", "_args_": [3], "out_features": 2},
        {"_target_": "torch.nn.Linear", "_partial_": True},
        {"_target_": "torch.nn.Dropout", "p": 0},  # a whole number is a number
        {"_target_": "torch.nn.BatchNorm1d", "num_features": 3, "momentum": None},
        {**LINEAR, "device": "cpu"},  # no plain kind: its own to test
        {"_target_": "torch.optim.AdamW", "lr": 0.1},  # parameters are handed over
        {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.1},
        {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR"},  # T_max is offered
        {"_target_": "torch.nn.Sequential"},
        {**LINEAR, "preprocessing": {"_target_": "torch.nn.Identity", "anything": 1}},
    ],
)
def test_lets_pass_what_the_pipeline_can_build(node):
    check({**WHOLE, "my_own": node, "number": 3, "nothing": None})


def test_touches_no_constructor(tmp_path, monkeypatch):
    (tmp_path / "mine_checked.py").write_text(
        "class Net:\n    def __init__(self, width):\n        raise SystemExit('built')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("KDISTILL_TRUST", "mine_checked")
    check({**WHOLE, "student": {"_target_": "mine_checked.Net", "width": 3}})


@pytest.mark.parametrize("name", WHOLE)
def test_names_the_key_that_a_run_lacks(name):
    config = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(UserError, match=f"{name}: missing from the config"):
        check(config)
