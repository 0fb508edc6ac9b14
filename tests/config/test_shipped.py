"""Every shipped option composes, and each of its targets fits its signature."""

import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from kdistill.config.build import to_plain
from kdistill.config.check import GROUPS, check
from kdistill.paths import CONFIG_DIR
from kdistill.plan import plan

OPTIONS = [
    f"{'+' if path.parent.name == 'experiment' else ''}{path.parent.name}={path.stem}"
    for path in sorted(CONFIG_DIR.glob("*/[!_]*.yaml"))
]


def test_there_is_an_option_in_every_group():
    assert {option.strip("+").partition("=")[0] for option in OPTIONS} == {*GROUPS, "experiment"}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_fits(option):
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        cfg = compose("train", [option])
    for key in OmegaConf.missing_keys(cfg):  # what only the user knows, such as a path
        OmegaConf.update(cfg, key, "given")
    check(to_plain(cfg))


def heading(path: Path) -> str:
    """The command that a YAML opens with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[lines[0] == "# @package _global_"].removeprefix("# ")


HEADINGS = sorted({heading(path) for path in CONFIG_DIR.glob("**/[!_]*.yaml")})
NOT_HERE = ("mine.npz", "my_rbm.npz", "pictures", "device=cuda", "device=mps")


@pytest.mark.parametrize("command", HEADINGS)
def test_every_heading_is_a_command_that_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what it names is here, up to the plan."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kdistill.plan._multiply_adds_per_second", lambda _: 1e9)
    kdistill, train, *words = shlex.split(command)
    assert (kdistill, train) == ("kdistill", "train")
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_plain(compose("train", words))
    check(config)
    if not any(missing in command for missing in NOT_HERE):
        plan(config)
