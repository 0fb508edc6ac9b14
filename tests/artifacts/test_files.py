"""Files: whole or not at all, damage told in one line that names the file, names for contents."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import fingerprint, finite, replacing, write_json, write_tensors
from kdistill.artifacts.text import read_json
from kdistill.errors import UserError

TENSORS = {
    "weights": torch.arange(6.0).reshape(2, 3),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(3),
    "none": torch.zeros(0, 4),
    "flags": torch.tensor([True, False]),
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", TENSORS)
    read = read_tensors(tmp_path / "a.safetensors")
    assert read.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
    write_json(tmp_path / "a.json", {"é": [1, None, 0.1]})
    assert read_json(tmp_path / "a.json") == {"é": [1, None, 0.1]}


def test_views_and_shared_tensors_are_written_as_they_look(tmp_path: Path) -> None:
    whole = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    write_tensors(tmp_path / "a.safetensors", {"turned": whole.T, "again": whole, "row": whole[1]})
    read = read_tensors(tmp_path / "a.safetensors")
    assert torch.equal(read["turned"], whole.T)
    assert torch.equal(read["row"], whole[1])


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def interrupted() -> None:
        with replacing(path) as sibling:
            sibling.write_text("half of the new")
            assert read_json(path) == {"old": 1}
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
    assert read_json(path) == {"old": 1}


def test_a_number_that_json_has_not_is_refused_before_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"new": float("nan")})
    assert read_json(path) == {"old": 1}


@pytest.mark.parametrize("name", ["a.json", "a.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    read: Any = read_json if name.endswith("json") else read_tensors
    with pytest.raises(UserError) as told:
        read(tmp_path / name)
    assert str(told.value) == f"{tmp_path / name}: no such file"


def test_json_cut_anywhere_is_told_in_one_line(tmp_path: Path) -> None:
    whole = json.dumps({"name": "é", "values": [1, 2.5]}, ensure_ascii=False).encode()
    for length in range(len(whole)):
        (tmp_path / "a.json").write_bytes(whole[:length])
        with pytest.raises(UserError, match="a.json: damaged JSON") as told:
            read_json(tmp_path / "a.json")
        assert "\n" not in str(told.value)


def test_safetensors_cut_anywhere_are_told_in_one_line(tmp_path: Path) -> None:
    write_tensors(tmp_path / "whole.safetensors", TENSORS)
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(0, len(whole), 5):
        (tmp_path / "a.safetensors").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"a\.safetensors: not a readable") as told:
            read_tensors(tmp_path / "a.safetensors")
        assert "\n" not in str(told.value)


def test_equal_values_have_one_fingerprint() -> None:
    value = torch.arange(6.0).reshape(2, 3)
    strided = torch.stack([value, -value], dim=-1)[..., 0]
    assert fingerprint(value) == fingerprint(value.clone()) == fingerprint(strided)
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert len(fingerprint()) == 16


DIFFERENT = [
    (torch.zeros(4),),
    (torch.zeros(4, dtype=torch.int32),),  # the same bytes
    (torch.zeros(2, 2),),  # the same bytes
    (torch.tensor([0.0, 0.0, 0.0, -0.0]),),
    (torch.zeros(2), torch.zeros(2)),
    (torch.zeros(2), torch.ones(2)),
    (torch.ones(2), torch.zeros(2)),
    (torch.zeros(0),),
    (torch.zeros(0, 3),),
    (torch.tensor(0.0),),
    (torch.tensor(True),),
    (torch.zeros(4, dtype=torch.bfloat16),),
    (1,),
    (1.0,),
    ("1",),
    (True,),
    (None,),
    ([1, 2],),
    ([2, 1],),
    (1, 2),
    (12,),
    ({"a": 1},),
    ({"a": 2},),
    ({"b": 1},),
]


def test_different_values_have_different_fingerprints() -> None:
    names = [fingerprint(*values) for values in DIFFERENT]
    assert len(set(names)) == len(names)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """Names in a shared cache must not depend on the hash seed of an interpreter."""
    values = "{'widths': [8], 'a': {'b': None}}, torch.arange(5), [{'x', }.pop()]"
    code = "import torch; from kdistill.artifacts.files import fingerprint; "
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}print(fingerprint({values}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = fingerprint({"a": {"b": None}, "widths": [8]}, torch.arange(5), ["x"])
    assert ran.stdout.strip() == here


def test_any_flipped_bit_of_the_weights_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"weight": torch.arange(6.0), "bias": torch.ones(2)})
    whole = path.read_bytes()
    for place in range(len(whole) - 8 * 4, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.safetensors: damaged \(its checksum"):
            read_tensors(path)


def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"a\.json: cannot be written \(No space left on device\)"):
        write_json(path, {"new": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert read_json(path) == {"old": 1}


def test_a_removed_folder_is_told_and_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its folder is gone"):
        write_json(tmp_path / "gone" / "a.json", {})
    assert not (tmp_path / "gone").exists()


def test_what_json_has_not_becomes_text() -> None:
    nan, infinity = float("nan"), float("inf")
    value = {"a": [1.5, infinity, (nan, "x")], "b": {"c": -infinity}, "d": None}
    assert finite(value) == {"a": [1.5, "inf", ["nan", "x"]], "b": {"c": "-inf"}, "d": None}
