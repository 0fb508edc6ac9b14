"""The door for arrays: what is written is read, and no file takes more than it holds."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdistill.artifacts import memory
from kdistill.artifacts.arrays import read_npz, read_saved, read_tensors
from kdistill.artifacts.files import write_tensors
from kdistill.errors import UserError

READERS: dict[str, Callable[[Path], Any]] = {
    "a.npz": read_npz,
    "a.safetensors": read_tensors,
    "a.pt": read_saved,
}


def refused(path: Path) -> str:
    with pytest.raises(UserError) as told:
        READERS[f"a{path.suffix}"](path)
    said = str(told.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_every_order_and_shape_are_read(save: Any, tmp_path: Path) -> None:
    wanted = {
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "backwards": np.arange(6)[::-2],
        "big": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 10**12), np.float32),
        "one": np.float64(3),
        "a/b\\..": np.array([True, False]),
        "text": np.array(["a", "bc"]),
        "zeros": np.zeros(100_000),
    }
    save(tmp_path / "a.npz", **wanted)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.asarray(array).dtype


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for odd, said in (
        ("folder", "it is a folder"),
        ("pipe", "a pipe"),
        ("zero", "device"),
        ("x", "no such file"),
        ("x" * 5000, "cannot be read"),
    ):
        with pytest.raises(UserError, match=said) as told:
            READERS[name](tmp_path / odd)
        assert "\n" not in str(told.value)


def member(dtype: str, shape: object, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """An array of a .npy file, which says that it is of `dtype` and `shape`."""
    about = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version[0] == 1 else "<I", len(about))
    return b"\x93NUMPY" + version + length + about + content


def packed(path: Path, *members: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


LIES = [
    member("'<f4'", "(10**12,)"),
    member("'<f4'", "(1000000000000,)"),
    member("'<f4'", "(1000000000000, 1000000000000)"),
    member("'<f4'", "(5,)", bytes(19)),
    member("'<f4'", "(-1,)", bytes(19)),
    member("'<f4'", "(-2, -2)", bytes(16)),
    member("'<f4'", f"({'1, ' * 100})", bytes(4)),
    member("'|O'", "(1,)", b"cos\nsystem\n(S'true'\ntR."),
    member("'<f4,<f4'", "(1,)", bytes(8)),
    member("[('a', '<f4')]", "(1,)", bytes(4)),
    member("'(3,)<f4'", "(1,)", bytes(12)),
    member("'|S0'", "(1000000000000,)"),
    member("'|V1000000000000'", "(1,)"),
    member("(" * 5000 + "'<f4'" + ")" * 5000, "(1,)", bytes(4)),
    member("'<f4'", "(1,)", bytes(4), b"\3\0"),
    member("'<f4'", "(1,)", bytes(4), b"\7\0"),
    b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + bytes(1000),
    b"\x93NUMPY",
    b"",
]


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("content", LIES)
def test_an_array_that_is_not_what_its_header_says_is_refused(
    content: bytes, how: int, tmp_path: Path
) -> None:
    assert "not a readable .npz file" in refused(
        packed(tmp_path / "a.npz", ("inputs.npy", content), how=how)
    )


def test_names_that_come_twice_and_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    one = member("'<f4'", "(1,)", bytes(4))
    with pytest.warns(UserWarning, match="Duplicate"):
        packed(tmp_path / "a.npz", ("x.npy", one), ("x.npy", one))
    assert "have one name" in refused(tmp_path / "a.npz")
    packed(tmp_path / "a.npz", ("x.npy", one), how=zipfile.ZIP_BZIP2)
    assert "packed in an unusual way" in refused(tmp_path / "a.npz")
    packed(tmp_path / "a.npz", ("readme.txt", b"hello"), ("x.npy", one))
    assert list(read_npz(tmp_path / "a.npz")) == ["x"]


def test_what_there_is_no_memory_for_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = np.zeros((1000, 1000))
    np.savez_compressed(tmp_path / "packed.npz", inputs=zeros)
    np.savez(tmp_path / "a.npz", inputs=zeros)
    torch.save({"inputs": torch.from_numpy(zeros)}, tmp_path / "a.pt")
    for name in ("packed.npz", "a.npz", "a.pt"):
        path = tmp_path / name
        read = read_npz if path.suffix == ".npz" else read_saved
        assert read(path)["inputs"].shape == (1000, 1000)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "free_memory", lambda: 15e6)
            said = "takes 0.016 GB of memory, more than the 0.015 GB that are free"
            assert said in refused(path)
    write_tensors(tmp_path / "a.safetensors", {"inputs": torch.from_numpy(zeros)})
    monkeypatch.setattr(memory, "free_memory", lambda: 15e6)
    assert read_tensors(tmp_path / "a.safetensors")["inputs"].shape == (1000, 1000)  # mapped
    os.truncate(tmp_path / "a.safetensors", 2**40)
    assert "takes 1.1e+03 GB" in refused(tmp_path / "a.safetensors")
    monkeypatch.setattr(memory, "free_memory", lambda: 1)
    assert len(read_saved(tmp_path / "a.pt", verified=True)) == 1  # as resume points are read


def test_a_directory_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", ("x.npy", bytes(1000)), how=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    at = whole.index(b"PK\1\2") + 20  # of the sizes of the member in the directory
    for sizes in (struct.pack("<II", 30, 2**31), struct.pack("<II", 2**31, 2**31)):
        path.write_bytes(whole[:at] + sizes + whole[at + 8 :])
        assert "as large as it says" in refused(path) or "larger than the file" in refused(path)


HEADERS = [
    '{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}',
    '{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}',
    '{"x":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}',
    '{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
    '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],'
    '"data_offsets":[0,4]}}',
    '{"x":{"dtype":"OBJ","shape":[1],"data_offsets":[0,4]}}',
    "[" * 10_000,
]


@pytest.mark.parametrize("header", HEADERS)
def test_safetensors_that_are_not_what_their_header_says_are_refused(
    header: str, tmp_path: Path
) -> None:
    content = struct.pack("<Q", len(header)) + header.encode() + bytes(4)
    (tmp_path / "a.safetensors").write_bytes(content)
    assert "not a readable .safetensors file" in refused(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**62) + content[8:])
    assert "not a readable .safetensors file" in refused(tmp_path / "a.safetensors")


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


THOUSAND = b"M\xe8\x03"  # as a pickle has it
NEW = pytest.mark.parametrize("new", [True, False], ids=["zip", "old"])


def altered(path: Path, new: bool, change: Callable[[bytes], bytes]) -> Path:
    """A file of torch.save of a thousand floats, its pickle changed."""
    torch.save({"w": torch.arange(1000.0)}, path, _use_new_zipfile_serialization=new)
    if not new:
        path.write_bytes(change(path.read_bytes()))
        return path
    with zipfile.ZipFile(path) as archive:
        members = [(each, archive.read(each)) for each in archive.namelist()]
    return packed(path, *((n, change(c) if n.endswith(".pkl") else c) for n, c in members))


@NEW
@pytest.mark.parametrize("size", [2000, 10**9, 10**12, 2**62, -1])
@pytest.mark.parametrize("which", [1, 2, None])
def test_a_tensor_larger_than_its_storage_is_refused(
    which: int | None, size: int, new: bool, tmp_path: Path
) -> None:
    """1: the numbers of the storage; 2: those of the tensor; None: both."""

    def change(content: bytes) -> bytes:
        parts = content.split(THOUSAND)
        lies = [number(size) if which in (None, at) else THOUSAND for at in (1, 2)]
        return parts[0] + lies[0] + parts[1] + lies[1] + THOUSAND.join(parts[2:])

    path = altered(tmp_path / "a.pt", new, lambda content: content)
    assert torch.equal(read_saved(path)["w"], torch.arange(1000.0))
    assert "not a readable file of plain weights" in refused(altered(path, new, change))


@NEW
def test_tuples_within_tuples_are_refused_before_they_are_unfolded(
    new: bool, tmp_path: Path
) -> None:
    """54 levels of pairs of one thing, as the key of a dict, would be hashed 2^54 times."""
    pairs = b"".join(b"h%c\x86q%c" % (at, at + 1) for at in range(200, 254))
    bomb = b"\x80\x02})q\xc8" + pairs + b"Ns."
    path = altered(tmp_path / "a.pt", new, lambda _: bomb)
    if not new:
        torch.save({}, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes().replace(b"\x80\x02}q\x00.", bomb))
        assert bomb in path.read_bytes()
    assert "refer to each other too often" in refused(path)


def test_the_name_of_a_class_is_short(tmp_path: Path) -> None:
    """Where it is none that is allowed, torch takes time by the square of its length."""
    for name in (b"c%s\n%s\n", b"X\x90\xd0\x03\0%sX\x90\xd0\x03\0%s\x93"):
        content = b"\x80\x04" + name % (b"a" * 250_000, b"b" * 250_000) + b"."
        path = altered(tmp_path / "a.pt", True, lambda _, content=content: content)
        assert "more than 200" in refused(path)


def test_records_that_torch_would_unpack_are_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save({"w": torch.zeros(10_000)}, file)
    with zipfile.ZipFile(file) as archive:
        members = [(each, archive.read(each)) for each in archive.namelist()]
    path = packed(tmp_path / "a.pt", *members, how=zipfile.ZIP_DEFLATED)
    assert "torch.save does not compress" in refused(path)


def test_records_that_were_changed_are_noticed_where_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.arange(1000.0)}, path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(torch.arange(1000.0).numpy().tobytes()) + 10] ^= 1
    path.write_bytes(whole)
    assert len(read_saved(path)["w"]) == 1000
    with pytest.raises(UserError, match="data/0"):
        read_saved(path, verified=True)
