"""Wherever a config names a class, one of another room is refused by the key where it stands."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from kdistill.compose import run_config
from kdistill.config.build import targets, to_plain
from kdistill.config.roles import plays
from kdistill.data.augmentation import Augmentation, Flip
from kdistill.data.digits import Digits
from kdistill.data.plan import DataSource
from kdistill.data.transfer import TrainingSet, Transfer
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.paths import CONFIG_DIR
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Teacher

TEACHERS = ("network", "born_again", "community", "specialists")
SHIFTS = "[{_target_: kdistill.data.augmentation.Shift, pixels: 1}]"


def config(teacher: str) -> dict[str, Any]:
    words = ["dataset=digits", "device=cpu", "cache=false", f"teacher={teacher}"]
    words += ["student@teacher.model=mlp", "teacher.model.widths=[8]", "teacher.fit.epochs=1"]
    words += [f"transfer.augmentation={SHIFTS}", f"teacher.augmentation={SHIFTS}"]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        plain: dict[str, Any] = to_plain(compose("train", words))
    return plain


PLACES = {key: teacher for teacher in TEACHERS for key, _ in targets(config(teacher))}


def test_the_places_are_those_of_every_room() -> None:
    nested = {"teacher.model.preprocessing", "teacher.augmentation[0]", "fit.scheduler"}
    nested |= {"teacher.again", "teacher.peers", "teacher.specialist_fit.optimizer", "device"}
    assert nested < PLACES.keys()
    assert len(PLACES) > 20


@pytest.mark.parametrize("place", PLACES)
def test_a_class_of_another_room_is_refused_by_its_key(place: str, tmp_path: Path) -> None:
    plain = deepcopy(config(PLACES[place]))
    node = dict(targets(plain))[place]
    node.clear()
    room = TrainingSet if place == "device" else Process
    node["_target_"] = f"{room.__module__}.{room.__qualname__}"
    with pytest.raises(UserError) as told:
        run_config(plain, tmp_path, silent)
    assert str(told.value).startswith(place.partition("[")[0])
    assert f"{room.__module__}.{room.__qualname__}" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("role", "made"),
    [
        (DataSource, Digits),
        (Transfer, TrainingSet),
        (Teacher, NetworkTeacher),
        (Augmentation, Flip),
        (Process, Process),
    ],
)
def test_a_class_plays_its_own_role_alone(role: Any, made: type) -> None:
    assert plays(made, role)
    others = {Digits, TrainingSet, NetworkTeacher, Flip, Process} - {made}
    assert not any(plays(each, role) for each in others)
