"""In what two configs differ, and whether that makes another run."""

from pathlib import Path

import pytest

from kdistill.artifacts.configs import (
    ABSENT,
    differences,
    first_difference,
    read_config,
    resume_command,
    weights_outside,
)
from kdistill.errors import UserError


def test_every_leaf_that_differs_is_named() -> None:
    one = {"a": 1, "b": {"c": [1, 2], "d": None}, "only": True}
    other = {"a": 1, "b": {"c": [1, 3], "d": None}, "new": {"x": 1}}
    assert list(differences(one, other)) == [
        ("b.c", [1, 2], [1, 3]),
        ("only", True, ABSENT),
        ("new", ABSENT, {"x": 1}),
    ]


def test_how_a_run_is_carried_out_makes_no_other_run() -> None:
    one = {"seed": 1, "device": {"threads": 1}, "cache": True}
    assert first_difference(one, {"seed": 1, "device": {"threads": 2}, "save_every": 9}) == ""
    assert first_difference(one, {"seed": 2}) == "seed is 1 there, 2 here"


def test_a_key_that_an_older_kdistill_lacked_and_that_is_left_null_makes_no_other_run() -> None:
    assert first_difference({"seed": 1}, {"seed": 1, "repair": None}) == ""
    assert first_difference({"seed": 1}, {"seed": 1, "repair": "prior"}) != ""
    assert first_difference({"seed": 1, "repair": "prior"}, {"seed": 1, "repair": None}) != ""


def test_weights_outside_are_those_that_do_not_lie_in_the_run_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "run" / "a.pt", tmp_path / "run" / ".." / "b.pt"
    for path, count in ((inside, 0), (outside, 1), ("c.pt", 1), (None, 0), (3, 0)):
        teacher = {"weights": path if isinstance(path, int | None) else str(path)}
        assert len(weights_outside({"teacher": teacher}, tmp_path / "run")) == count
    assert weights_outside({"teacher": None}, tmp_path) == weights_outside({}, tmp_path) == []
    assert resume_command({"teacher": {"path": "my b.npz"}}, Path("run")) == (
        "kdistill resume run 'teacher.path=my b.npz'"
    )


@pytest.mark.parametrize("text", ["a: [1", "- 1", "\x00", ""])
def test_a_damaged_config_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: damaged") as told:
        read_config(tmp_path / "config.yaml")
    assert "\n" not in str(told.value)
