"""Mistakes in the words of a command: options, keys, values, devices, flags, folders named."""

import os
import subprocess
import sys

import pytest
import torch
import yaml

from kdistill.cli import main

GROUPS = ["device=cpu", "dataset=digits", "fit.epochs=1", "hydra.run.dir=run"]
STEPS = "{_target_: torch.optim.lr_scheduler.StepLR}"
SHIFT = "{_target_: kdistill.data.augmentation.Shif, pixels: 2}"

# what is typed after `kdistill train` and a small config, and words of the one line that it tells
OPTIONS = [
    ("loss=soft_target", "loss=soft_target: no such option; did you mean soft_targets?"),
    ("student=lennet", "student=lennet: no such option; did you mean lenet or resnet or convnet?"),
    ("losss=soft_targets", "losss: no such key in the config; did you mean loss?"),
    ("temperature=4", "temperature: no such key in the config; did you mean loss.temperature?"),
    ("lr=1", "did you mean fit.optimizer.lr or teacher.fit.optimizer.lr?"),
    ("fit.optimizer={lrr: 1}", "fit.optimizer.lrr: no such key in the config; did you mean lr?"),
    ("sed=1", "sed: no such key in the config; did you mean seed?"),
    ("loss.temperatur=2", "loss.temperatur: no such key in the config; did you mean temperature?"),
    ("student.preprocessing.men=1", "student.preprocessing.men: no such key in the config; did yo"),
    ("+student.preprocessing.men=1", "student.preprocessing.men: kdistill.models.preprocessing.Pi"),
    ("+loss.temprature=3", "loss.temprature: kdistill.losses.soft_targets.SoftTargets has no para"),
    ("+studnt=3", "studnt: nothing reads this key; did you mean student?"),
    ("seed=1,2", "seed=1,2"),
    ("seed", "seed: missing EQUAL at '<EOF>'; write key=value"),
    ("loss={temperature:2", "loss={temperature:2: no viable alternative"),
    ("+seed=1", "An item is already at 'seed'; Either remove + prefix: 'seed=1'"),
    ("experiment=mnist_ensemble", "use +experiment=mnist_ensemble"),
    ("+experiment=mnist_ensembel", "no such option; did you mean mnist_ensemble?"),
    ("name=${nowhere}", "name: Interpolation key 'nowhere' not found"),
]
KINDS = [
    ("loss.temperature=hot", "loss.temperature: must be a number, got 'hot'"),
    ("loss.temperature=null", "loss.temperature: must be a number, got None"),
    ("fit.optimizer=sgd", "an option is chosen by its group, as in fit=sgd"),
    (
        "teacher.model=lenet",
        "got 'lenet'; to take an option: student@teacher.model=lenet",
    ),
    ("transfer.augmentation=[Flip]", "transfer.augmentation: must be a list of configs"),
    ("fit.epochs=1.5", "fit.epochs: must be a whole number, got 1.5"),
    ("fit.optimizer.lr=fast", "fit.optimizer.lr: must be a number, got 'fast'"),
    ("fit.scheduler=cosine", "fit.scheduler: must be a config of keys and values or null, got 'c"),
    ("student.widths=30", "student.widths: must be a list of whole numbers, got 30"),
    ("transfer.omit_classes=3", "transfer.omit_classes: must be a list of whole numbers or texts"),
    ("teacher.model=null", "teacher.model: must be a config of keys and values, got None"),
    ("seed=one", "seed: must be a whole number, got 'one'"),
    ("baseline=maybe", "baseline: must be true or false, got 'maybe'"),
    ("name=3", "name: must be text, got 3"),
    ("name=", "name: must not be empty"),
]
VALUES = [
    ("loss.temperature=0", "loss: temperature must be > 0, got 0"),
    ("loss.temperature=-1", "loss: temperature must be > 0, got -1"),
    ("loss.temperature=nan", "loss: temperature must be > 0, got nan"),
    ("loss.temperature=inf", "loss: temperature must be finite, got inf"),
    ("loss.hard_weight=-0.5", "loss: hard_weight must be >= 0, got -0.5"),
    ("fit.epochs=0", "fit: epochs must be >= 1, got 0"),
    ("fit.batch_size=0", "fit: batch_size must be >= 1, got 0"),
    ("fit.optimizer.lr=-1", "fit.optimizer: Invalid learning rate: -1"),
    ("fit.optimizer._target_=torch.optim.AdamWW", "fit.optimizer._target_: torch.optim has no 'A"),
    ("+fit.optimizer.momentun=0.9", "fit.optimizer.momentun: torch.optim.AdamW has no parameter"),
    ("fit.clip=nan", "fit: clip must be > 0, got nan"),
    ("fit.monitor=accuracy", "fit.monitor=accuracy is not measured; choose from errors, nll"),
    ("student.dropout=1", "student: dropout must be in [0, 1), got 1"),
    ("student.widths=[0]", "student: widths must each be >= 1, got [0]"),
    ("task.main=f1", "task: main must be one of errors, accuracy, nll, brier, ece, got f1"),
    ("seed=-1", "seed must be >= 0, got -1"),
    ("transfer.fraction=0", "transfer: fraction must be in (0, 1], got 0"),
    ("transfer.omit_classes=[11]", "transfer.omit_classes: no class 11 among the 10"),
    ("transfer.omit_classes=[zebra]", "transfer.omit_classes: no class 'zebra' among the 10"),
    ("transfer.omit_classes=[0,1,2,3,4,5,6,7,8,9]", "transfer.omit_classes leaves no training exa"),
    ("dataset.validation=5000", "dataset.validation=5000 would hold out 5000 of 1397"),
    ("dataset.validation=nan", "dataset: validation must be a count >= 0 or a fraction in [0, 1)"),
    ("device.precision=fp16", "device.precision=fp16 is not for CPUs; use fp32 or bf16"),
    ("teacher.fit.optimizer.lr=-1", "teacher.fit.optimizer: Invalid learning rate: -1"),
    ("teacher.loss.label_smoothing=1", "teacher.loss: label_smoothing must be < 1, got 1"),
    ("teacher.model.widths=[0]", "teacher.model: widths must each be >= 1, got [0]"),
    (f"teacher.augmentation=[{SHIFT}]", "teacher.augmentation[0]._target_: kdistill.data.augment"),
]
TARGETS = [
    ("mine_net.Net", "student._target_: mine_net.Net is not in a trusted package; if you trust it"),
    ("os.system", "student._target_: os.system is not in a trusted package; a config may name cla"),
    ("torch.load", "student._target_: torch.load is not in a trusted package; a config may name c"),
    ("torch.nn.Linea", "student._target_: torch.nn has no 'Linea'; did you mean Linear"),
    ("torch.nn.init.normal_", "student._target_: torch.nn.init.normal_ is not a class"),
]


@pytest.mark.parametrize(("word", "said"), [*OPTIONS, *KINDS, *VALUES])
def test_one_word_is_wrong(word, said, train):
    assert said in train(word)


@pytest.mark.parametrize(("target", "said"), TARGETS)
def test_a_target_that_nobody_trusts(target, said, train):
    told = train(f"student._target_={target}")
    assert said in told
    assert "TRUST=os" not in told
    assert "TRUST=torch" not in told


# several words, which replace the small config where they must
COMBINED = [
    (["~fit.scheduler", f"+fit.scheduler={STEPS}"], "fit.scheduler.step_size: torch.optim.lr_sche"),
    (["fit.patience=3", "dataset.validation=0"], "there are none; set dataset.validation"),
    (["repair=bias"], "repair must be null, validation or prior, got bias"),
    (["repair=prior"], "repair=prior: the transfer set lacks no class"),
    (["student=lenet"], "student: inputs must be [channels, height, width] with sides >= 16, got"),
    (["student=resnet", "student.depth=9"], "student: depth must be 6n + 2, from 8 to 110 (8, 14"),
    (["student=torchvision", "student.name=resnet1"], "student: name must be a torchvision class"),
    (["loss=mixture", "loss.terms.logits.weight=-1"], "loss: terms.logits.weight must be >= 0"),
    (["teacher=ensemble", "teacher.members=0"], "teacher: members must be >= 1, got 0"),
    (["teacher=none"], "loss: it compares with a teacher, and there is none; use loss=hard_labels"),
    (["dataset=tensors"], "dataset.path: it needs a value; give it as dataset.path=VALUE"),
    (["dataset=mnist", "dataset.source=web"], "dataset: source must be one of auto, files, downl"),
    (
        ["student=null"],
        "student=null: a config group needs the name of an option; see kdistill list",
    ),
    (["~loss"], "loss"),
    (["--config-dir", "nodir"], "--config-dir: there is no folder"),
    (["--cfg", "everything"], "argument --cfg/-c: invalid choice: 'everything'"),
    (["--nope"], "unrecognized arguments: --nope (see --hydra-help)"),
]


@pytest.mark.parametrize(("words", "said"), COMBINED)
def test_words_that_do_not_fit_together(words, said, train):
    assert said in train(*words, small=GROUPS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_cuda_where_there_is_none(train):
    assert train("device=cuda") == "device.kind=cuda: this machine has none; use device.kind=cpu"


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is one")
def test_mps_where_there_is_none(train):
    assert train("device=mps") == "device.kind=mps: this machine has none; use device.kind=cpu"


COMMANDS = [
    (["trian"], "no command 'trian'; did you mean train?"),
    (["zzz"], "no command 'zzz'; choose from train, "),
    (["report"], "the following arguments are required: "),
    (["report", "nodir"], "nodir: no such run folder"),
    (["report", "."], ".: no result.json, the run is not finished"),
    (["report", "--nope", "."], "unrecognized arguments: --nope (see kdistill report --help)"),
    (["evaluate", "nodir"], "nodir: no such run folder"),
    (["resume", "nodir"], "nodir: no run to go on with"),
    (["list", "los"], "no config group 'los'; did you mean loss?"),
    (["list", "nope"], "no config group 'nope'; choose from experiment, dataset"),
    (["list", "--config-dir", "nodir"], "--config-dir: there is no folder nodir"),
    (["cache", "clen"], "invalid choice: 'clen' (choose from"),
]


@pytest.mark.parametrize(("words", "said"), COMMANDS)
def test_a_command_that_is_wrong(words, said, mistake):
    assert said in mistake(*words)


@pytest.mark.parametrize("command", [["train"], ["check"], ["list"]])
def test_own_configs_that_are_not_there(command, mistake, monkeypatch):
    monkeypatch.setenv("KDISTILL_CONFIGS", "nodir")
    told = mistake(*command)
    assert told.startswith("KDISTILL_CONFIGS")
    assert "there is no folder" in told


def test_a_bad_value_among_good_ones_in_a_sweep(mistake, desk, monkeypatch):
    ran = []
    monkeypatch.setattr(
        "kdistill.cli._run.execute", lambda cfg, folder: ran.append(cfg.seed) or 0.0
    )
    told = mistake("train", "-m", "hydra.sweep.dir=sweep", "seed=0,1", "loss=soft_targets,near")
    assert told.startswith("loss=near: no such option")
    assert ran == []  # told before any job begins: the options of a group are known then


def test_the_good_ones_of_a_sweep_run(desk, capfd, monkeypatch):
    words = ["teacher.model.widths=[8]", "student.widths=[8]", "fit.epochs=1", "baseline=false"]
    words += ["dataset=digits", "device=cpu", "teacher.fit.epochs=1", "hydra.sweep.dir=sweep"]
    assert main(["train", "-m", *words, "loss.temperature=1,-4,2"]) == 2
    told = capfd.readouterr().err
    assert told == "kdistill: loss: temperature must be > 0, got -4\n"
    ends = {}
    for job in (path.parent.parent for path in desk.glob("sweep/*/.hydra/overrides.yaml")):
        word = yaml.safe_load((job / ".hydra/overrides.yaml").read_text())[-1]
        ends[word] = [(job / f"{name}.json").is_file() for name in ("result", "failed")]
    assert ends == {
        "loss.temperature=1": [True, False],
        "loss.temperature=-4": [False, True],
        "loss.temperature=2": [True, False],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "loss=soft_target"], "did you mean soft_targets?"),
        (
            ["check", "dataset=digits", "device=cpu", "loss.temperature=0"],
            "temperature must be > 0",
        ),
    ],
)
def test_the_installed_command_tells_it_too(words, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kdistill", *words],
        cwd=tmp_path,
        env={**os.environ, "KDISTILL_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kdistill: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
