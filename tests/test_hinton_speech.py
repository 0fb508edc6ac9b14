"""hinton_speech on a tiny clone of the spoken digits: from recordings to recordings recognised."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.compose import run_config
from kdistill.config.build import to_plain
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.library import evaluate_run
from kdistill.paths import CONFIG_DIR
from kdistill.report.verdict import verdict

TINY = ["dataset.mels=8", "dataset.past=4", "dataset.future=2", "dataset.validation=10"]
TINY += ["teacher.members=2", "student.widths=[32]", "fit.epochs=10", "fit.batch_size=16"]
TINY += ["fit.optimizer.lr=0.01", "cache=false", "device=cpu", "device.threads=1"]


def ran(clone: Path, folder: RunFolder, *words: str) -> Result:
    words = ("+experiment=hinton_speech", f"dataset.path={clone}", *TINY, *words)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_plain(compose("train", list(words)))
    taught, student = config["teacher"], config["student"]
    assert taught["model"] == student  # the ensemble's members are what the student is
    assert taught["fit"] == config["fit"]
    return run_config(config, folder.path, silent)


def test_recordings_are_recognised_by_every_model(
    tmp_path: Path, write_clone: Callable[[Path], list[str]]
) -> None:
    write_clone(tmp_path / "clone")
    folder = RunFolder(tmp_path / "run")
    result = ran(tmp_path / "clone", folder)
    assert result.main == "accuracy"
    teacher = result.models["teacher"]
    assert teacher is not None
    for model in (*result.models.values(), *teacher.members):
        assert model is not None
        wrong, right = model.measures["recordings_wrong"], model.measures["accuracy"]
        assert (wrong.n, right.n) == (20, result.dataset["test"])
        assert right.value > 0.6  # of 30 classes
        assert wrong.value <= 2  # of 20; chance is 18
    for model in result.models.values():
        assert model is not None
        assert model.validation["recordings_wrong"].n == 10
    accuracy = [m.measures["accuracy"].value for m in result.models.values() if m is not None]
    gap, closed = accuracy[0] - accuracy[2], result.gain.closed_gap
    if gap > 0:
        assert closed == pytest.approx((accuracy[1] - accuracy[2]) / gap)
    else:
        assert closed is None
    assert "Accuracy" in verdict(result)
    page = folder.report_html.read_text(encoding="utf-8")
    assert "Recordings wrong" in page
    assert "as many independent cases" in page
    again = evaluate_run(folder.path)
    for name, model in again.items():
        stored = result.models[name]
        assert stored is not None
        assert model.measures["recordings_wrong"] == stored.measures["recordings_wrong"]


def test_pictures_of_whole_recordings_have_no_frames_to_decode(
    tmp_path: Path, write_clone: Callable[[Path], list[str]]
) -> None:
    write_clone(tmp_path)
    words = ["dataset=spoken_digits", f"dataset.path={tmp_path}", "dataset.validation=9"]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_plain(compose("train", [*words, "task=speech", "cache=false"]))
    with pytest.raises(UserError, match="which spoken_digits does not have; use task=classif"):
        run_config(config, tmp_path / "run", silent)
    assert not (tmp_path / "run").exists()
