"""hydra_command(): Hydra's flags, the user's folders, one line for a mistake, sweeps that go on."""

import logging
import os

import pytest
from omegaconf import OmegaConf

from kdistill.cli import main as kdistill
from kdistill.cli._hydra import hydra_command, output_folder
from kdistill.errors import UserError

TINY = """
defaults:
  - loss: near
  - _self_
seed: 0
path: ???
there: ${nowhere}
hydra:
  run: {dir: 'out/run'}
  sweep: {dir: 'out/sweep', subdir: '${kd.slug:${hydra.job.override_dirname}}'}
  job_logging:
    handlers: {file: {delay: true, filename: '${hydra.runtime.output_dir}/train.log'}}
    root: {handlers: [file]}
"""


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A user's folder of configs with a primary config of its own, tiny.yaml."""
    folder = tmp_path / "conf"
    write(folder, "tiny", TINY)
    write(folder, "loss/near", "temperature: 1\n")
    write(folder, "loss/far", "temperature: 9\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CONFIGS", str(folder))
    monkeypatch.setenv("KDISTILL_TRUST", "hydra")  # tiny.yaml says where its log goes
    return folder


def write(folder, name, text):
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def command(run, monkeypatch):
    """`run` as the command train, behind the one door of all commands."""
    monkeypatch.setattr("kdistill.cli.train.main", hydra_command("tiny")(run))
    return lambda *words: kdistill(["train", *words])


@pytest.fixture
def seen(conf, monkeypatch):
    """The configs of the jobs that ran, and the command that runs them."""
    configs = []
    return configs, command(configs.append, monkeypatch)


def test_runs_with_overrides_in_any_order_among_the_flags(seen):
    configs, run = seen
    assert run("seed=3", "-m", "loss.temperature=2,4", "loss=far") == 0
    assert [(c.seed, c.loss.temperature) for c in configs] == [(3, 2), (3, 4)]


def test_a_users_option_replaces_the_shipped_one_of_its_name(seen, conf, tmp_path):
    configs, run = seen
    write(conf, "loss/soft_targets", "temperature: 77\n")
    write(tmp_path / "mine", "loss/soft_targets", "temperature: 88\n")
    assert run("loss=soft_targets") == 0
    assert run("loss=soft_targets", "--config-dir", "mine") == 0
    assert run("loss=hard_labels", "--config-dir=mine") == 0
    assert configs[0].loss == {"temperature": 77}
    assert configs[1].loss == {"temperature": 88}
    assert configs[2].loss._target_ == "kdistill.losses.hard_labels.HardLabels"  # the shipped one


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss=fra"], "loss=fra: no such option; did you mean far?"),
        (["loss=fra"], " far, hard_labels"),
        (["loss.temperatur=1"], "loss.temperatur: no such key in the config; did you mean temper"),
        (["sed=1"], "did you mean seed?"),
        (["qqq=1"], "keys there: loss, seed, path"),
        (["experiment=x"], "use +experiment=x"),
        (["~loss.nope"], "loss.nope"),
        (["seed"], "seed: missing EQUAL"),
        (["seed=[1"], "seed=[1: "),
        (["seed=1,2"], "--multirun"),
        (["+seed=1"], "already"),
        (["--nope"], "--nope"),
        (["--cfg", "nope"], "nope"),
        (["-m", "--cfg", "job"], "Only one of"),
        (["--config-dir", "nodir"], "nodir"),
        (["--config-path", "nodir"], "nodir"),
        (["--config-name", "nope"], "nope"),
        (["--experimental-rerun", "x.pickle"], "unpickles"),
        (["hydra.searchpath=3"], "hydra.searchpath"),
        (["-m", "loss=near,nope"], "loss=nope: no such option"),
    ],
)
def test_a_mistake_while_composing_is_one_line_and_exit_2(words, said, seen, capfd):
    configs, run = seen
    assert run(*words) == 2
    told = capfd.readouterr().err
    assert told.startswith("kdistill: ")
    assert said in told
    assert told.count("\n") == 1
    assert configs == []


@pytest.mark.parametrize("text", ["temperature: [", "temperature: 1\ntemperature: 2\n"])
def test_a_broken_yaml_is_one_line_and_exit_2(text, seen, conf, capfd):
    write(conf, "loss/broken", text)
    assert seen[1]("loss=broken") == 2
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "broken" in told


def test_a_folder_in_the_environment_that_is_not_there(seen, monkeypatch, capfd):
    monkeypatch.setenv("KDISTILL_CONFIGS", "nodir")
    assert seen[1]() == 2
    assert "nodir" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda cfg: cfg.path, "path: it needs a value; give it as path=VALUE"),
        (lambda cfg: cfg.there, "there: Interpolation key 'nowhere' not found"),
        (lambda cfg: refuse("fit.epochs must be >= 1, got 0"), "fit.epochs must be >= 1, got 0"),
    ],
)
def test_a_users_mistake_in_the_job_is_one_line_and_exit_2(run, said, conf, monkeypatch, capfd):
    assert command(run, monkeypatch)() == 2
    assert capfd.readouterr().err == f"kdistill: {said}\n"
    assert "Traceback" in (conf.parent / "out/run/train.log").read_text()


def refuse(message):
    raise UserError(message)


@pytest.mark.parametrize("run", [lambda cfg: cfg.nope, lambda cfg: 1 / 0])
def test_a_bug_of_ours_is_a_traceback_and_exit_1(run, conf, monkeypatch, capfd):
    assert command(run, monkeypatch)() == 1
    assert capfd.readouterr().err.startswith("Traceback")


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({}, 0),
        ({1: UserError("bad")}, 2),
        ({0: UserError("bad"), 1: ZeroDivisionError("bug")}, 1),
        ({0: ZeroDivisionError("bug"), 2: UserError("bad")}, 1),
    ],
)
def test_a_sweep_goes_on_and_ends_with_the_worst_code(faults, code, conf, monkeypatch, capfd):
    ran, told = [], []

    def run(cfg):
        told.append(capfd.readouterr().err)
        ran.append(cfg.seed)
        if cfg.seed in faults:
            raise faults[cfg.seed]

    assert command(run, monkeypatch)("-m", "seed=0,1,2") == code
    assert ran == [0, 1, 2]
    for seed in set(faults) & {0, 1}:  # told at once: before the next job began
        assert str(faults[seed]) in told[seed + 1]


def test_an_interruption_ends_the_sweep_with_130(conf, monkeypatch, capfd):
    ran = []

    def run(cfg):
        ran.append(cfg.seed)
        raise KeyboardInterrupt

    assert command(run, monkeypatch)("-m", "seed=0,1") == 130
    assert ran == [0]
    assert capfd.readouterr().err == "kdistill: interrupted\n"


def test_a_job_knows_its_folder_and_hydra_keeps_its_config_there(conf, monkeypatch):
    folders = []
    assert command(lambda cfg: folders.append(output_folder()), monkeypatch)("seed=5") == 0
    assert folders == [conf.parent / "out/run"]
    assert OmegaConf.load(folders[0] / ".hydra/config.yaml").seed == 5


def test_a_saved_run_can_be_run_again(seen):
    configs, run = seen
    run("seed=7", "loss=far")
    assert run("--config-path", "out/run/.hydra", "--config-name", "config") == 0
    assert configs[1].seed == 7
    assert configs[1].loss == {"temperature": 9}


def test_environment_and_logging_are_put_back(seen):
    root = logging.getLogger()
    before = dict(os.environ), root.handlers[:], root.level
    seen[1]("--config-dir", ".")
    assert (dict(os.environ), root.handlers[:], root.level) == before


def test_shows_the_config_without_running(seen, capsys):
    configs, run = seen
    assert run("--cfg", "job", "seed=4") == 0
    assert "seed: 4" in capsys.readouterr().out
    assert configs == []
