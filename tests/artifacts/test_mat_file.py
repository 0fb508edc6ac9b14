"""read_mat: what scipy writes is read back, and no damage ends in anything but a UserError."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from kdistill.artifacts.mat_file import read_mat
from kdistill.errors import UserError

KINDS = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_of_every_kind_come_back(tmp_path: Path, compressed: bool) -> None:
    wanted = {f"a_{kind}": np.arange(6).reshape(2, 3).astype(kind) for kind in KINDS}
    wanted |= {"cube": np.random.default_rng(0).normal(size=(2, 3, 4)), "x": np.ones((1, 1))}
    path = tmp_path / "all.mat"
    savemat(path, wanted, do_compression=compressed)
    read = read_mat(path)
    assert set(read) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_what_is_no_real_array_is_passed_over(tmp_path: Path) -> None:
    others = {"text": "hello", "cells": np.array([1, "a"], object), "z": np.ones((2, 2), complex)}
    savemat(tmp_path / "mixed.mat", {**others, "W": np.ones((2, 2))})
    assert list(read_mat(tmp_path / "mixed.mat")) == ["W"]


def test_other_versions_are_told_how_to_become_this_one(tmp_path: Path) -> None:
    savemat(tmp_path / "old.mat", {"W": np.ones((2, 2))}, format="4")
    (tmp_path / "new.mat").write_bytes(
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400)
    )
    for name in ("old.mat", "new.mat"):
        with pytest.raises(UserError, match=rf"{name}: not a .mat file of MATLAB 5 to 7; .*'-v7'"):
            read_mat(tmp_path / name)


@pytest.mark.parametrize("compressed", [False, True])
def test_no_damage_is_more_than_a_user_error(tmp_path: Path, compressed: bool) -> None:
    """Each byte changed, and the file cut at each: scipy's reader crashes over a few of these."""
    path = tmp_path / "rbm.mat"
    savemat(path, {"W": np.ones((2, 2)), "b": np.ones(2)}, do_compression=compressed)
    whole = path.read_bytes()
    changed = [whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :] for i in range(len(whole))]
    refused = 0
    for damaged in [*changed, *(whole[:i] for i in range(len(whole)))]:
        path.write_bytes(damaged)
        with suppress(UserError):
            read_mat(path)
            refused -= 1
        refused += 1
    assert refused > len(whole) / 2  # where a number or a name changed nothing is wrong


def matrix(*sizes: int) -> bytes:
    """An element that holds an empty array of doubles, W, which says that it is of `sizes`."""
    parts = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<II", 5, 4 * len(sizes))
    parts += struct.pack(f"<{len(sizes)}i", *sizes) + struct.pack("<HH4s", 1, 1, b"W")
    parts += struct.pack("<II", 9, 0)
    return struct.pack("<II", 14, len(parts)) + parts


def test_what_could_be_no_array_is_refused(tmp_path: Path) -> None:
    nested = matrix(0, 0)
    for _ in range(2000):
        packed = zlib.compress(nested)
        nested = struct.pack("<II", 15, len(packed)) + packed
    no_flags = struct.pack("<IIII", 14, 8, 6, 0)
    path, header = tmp_path / "rbm.mat", bytes(124) + b"\x00\x01IM"
    path.write_bytes(header + matrix(0, 0))
    assert read_mat(path)["W"].shape == (0, 0)
    for content in (nested, no_flags, matrix(-1, 0), matrix(-1, 1), matrix(1, 1)):
        path.write_bytes(header + content)
        with pytest.raises(UserError, match=r"rbm\.mat: not a readable \.mat file"):
            read_mat(path)
