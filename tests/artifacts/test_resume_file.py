"""The state of an unfinished training: what is read is what was written, or the one before it."""

from pathlib import Path

import pytest
import torch

from kdistill.artifacts.resume_file import read_state, remove_state, write_state

FIRST = {"weights": {"a": torch.arange(1000.0)}, "step": 1, "rates": [0.1], "name": None}
SECOND = {"weights": {"a": torch.arange(1000.0) + 1}, "step": 2, "rates": [0.2], "name": "x"}


def refuse(text: str) -> None:
    raise AssertionError(text)


def test_the_newest_state_is_read(tmp_path: Path) -> None:
    path = tmp_path / "student.pt"
    assert read_state(path, refuse) is None
    write_state(path, FIRST)
    write_state(path, SECOND)
    state = read_state(path, refuse)
    assert torch.equal(state["weights"]["a"], SECOND["weights"]["a"])
    assert {**state, "weights": 0} == {**SECOND, "weights": 0}
    remove_state(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_where_the_newest_is_damaged_the_one_before_is_read(
    damage: str, at: float, tmp_path: Path
) -> None:
    path, told = tmp_path / "student.pt", []
    write_state(path, FIRST)
    write_state(path, SECOND)
    whole = bytearray(path.read_bytes())
    place = int(at * len(whole))
    whole[place] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:place] if damage == "cut" else whole)
    state = read_state(path, told.append)
    if state["step"] == 1:
        assert torch.equal(state["weights"]["a"], FIRST["weights"]["a"])
        assert damage == "missing" or str(path) in told[0]
    else:  # a bit that means nothing, between two records
        assert torch.equal(state["weights"]["a"], SECOND["weights"]["a"])


def test_no_code_in_it_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Evil()}, tmp_path / "student.pt")
    told: list[str] = []
    assert read_state(tmp_path / "student.pt", told.append) is None
    assert "damaged resume point" in told[0]
    assert not (tmp_path / "ran").exists()
