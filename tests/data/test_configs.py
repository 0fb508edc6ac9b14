"""Every shipped dataset and transfer config makes its object, which plans or says what is amiss."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from kdistill.config.build import build
from kdistill.data.augmentation import Shift
from kdistill.data.transfer import TrainingSet
from kdistill.errors import UserError
from kdistill.paths import CONFIG_DIR

DATASETS = sorted(file.stem for file in (CONFIG_DIR / "dataset").glob("*.yaml"))
DATASETS.remove("none")  # it has its own test


def _made(group: str, name: str, *overrides: str) -> object:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose(overrides=[f"+{group}={name}", *overrides])
    return build(config[group])


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_config_makes_a_source(tmp_path: Path, name: str) -> None:
    inner = dict.fromkeys(("binarised", "some_classes"), "dataset.source.path")
    place = {"digits": None, **inner}.get(name, "dataset.path")
    source = _made("dataset", name, *([f"{place}={tmp_path / 'x.npz'}"] if place else []))
    if name in ("image_folder", "tensors"):
        with pytest.raises(UserError, match=r"x.npz"):
            source.plan()  # type: ignore[attr-defined]
    else:
        plan = source.plan()  # type: ignore[attr-defined]
        assert plan.name == name
        assert plan.source == ("bundled" if name == "digits" else "download")


def test_the_transfer_configs_differ_in_the_augmentation() -> None:
    train, shifted = _made("transfer", "train"), _made("transfer", "shifted")
    assert isinstance(train, TrainingSet)
    assert isinstance(shifted, TrainingSet)
    assert list(train.augmentation) == []
    (shift,) = shifted.augmentation
    assert isinstance(shift, Shift)
    assert shift.pixels == 2
