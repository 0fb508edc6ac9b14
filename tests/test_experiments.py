"""Every shipped experiment composes, fits and builds before any data are touched."""

import socket
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from kdistill.compose import recipe
from kdistill.config.build import to_plain
from kdistill.config.check import check
from kdistill.paths import CONFIG_DIR

FILES = sorted((CONFIG_DIR / "experiment").glob("*.yaml"))


def composed(path: Path) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [f"+experiment={path.stem}"]))


def test_there_is_one() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_fits_and_carries_its_name(path: Path) -> None:
    config = composed(path)
    check(config)
    assert config["name"] == path.stem  # so that its runs lie under that name
    command = path.read_text(encoding="utf-8").splitlines()[1]
    assert command == f"# kdistill train +experiment={path.stem}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_recipe_builds_without_data(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("building a recipe reached for the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    config = composed(path)
    config["device"] = {**config["device"], "kind": "cpu"}
    made = recipe(config)
    assert made.config["name"] == path.stem
    assert made.loss.teacher_needs <= {"logits"}
    assert (made.teacher is None) == (config["teacher"] is None)
    assert made.cache == tmp_path / "cache"
    assert list(tmp_path.iterdir()) == []
