"""Every shipped option composes, and each of its targets fits its signature."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from kdistill.config.build import to_plain
from kdistill.config.check import GROUPS, check
from kdistill.paths import CONFIG_DIR

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
