"""Pictures that may be a stranger's: whole pictures are read, and nothing else is tried."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from kdistill.data.pictures import FORMATS, PIXELS, Pictures
from kdistill.errors import UserError

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (30, 20, 3)).astype(np.uint8)


def read(path: Path, channels: int = 3) -> np.ndarray:
    return Pictures([path], (30, 20), channels)[0].permute(1, 2, 0).numpy()


def refused(path: Path) -> str:
    with pytest.raises(UserError) as told:
        read(path)
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_are_read_whatever_their_file_is_called(kind: str, tmp_path: Path) -> None:
    packed = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(COLOURS).save(tmp_path / "any.png", kind, **packed)
    if kind in ("JPEG", "GIF"):
        assert read(tmp_path / "any.png").shape == COLOURS.shape
    else:
        assert np.array_equal(read(tmp_path / "any.png"), COLOURS)


@pytest.mark.parametrize("transparency", [None, 3, b"\x00\x80\xff"])
def test_a_palette_and_its_transparency_are_colours(
    transparency: int | bytes | None, tmp_path: Path
) -> None:
    whole = Image.fromarray(COLOURS).quantize(16)
    more = {} if transparency is None else {"transparency": transparency}
    whole.save(tmp_path / "a.png", **more)
    assert np.array_equal(read(tmp_path / "a.png"), np.array(whole.convert("RGB")))


def test_a_picture_that_was_turned_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(COLOURS).transpose(Image.Transpose.ROTATE_270).save(
        tmp_path / "a.png", exif=exif
    )
    assert np.array_equal(read(tmp_path / "a.png"), COLOURS)


def test_no_program_is_started_for_postscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    Image.fromarray(COLOURS).save(tmp_path / "a.png", "EPS")
    with pytest.raises(AssertionError), Image.open(tmp_path / "a.png") as file:
        file.load()  # so it would be
    assert "not a readable image" in refused(tmp_path / "a.png")


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def bomb(path: Path) -> None:
    side = int(PIXELS**0.5) + 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99))))


def large(path: Path) -> None:
    bomb(path)
    os.truncate(path, 2**40)


SPOILT: dict[str, Callable[[Path], object]] = {
    r"pixels, more than|exceeds limit": bomb,
    "its file is larger than": large,
    "no such file": lambda path: None,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "cannot identify image file": lambda path: path.write_text("<svg/>"),
}


@pytest.mark.parametrize("said", SPOILT)
def test_what_is_no_picture_is_named(said: str, tmp_path: Path) -> None:
    SPOILT[said](tmp_path / "a.png")
    told = refused(tmp_path / "a.png")
    assert any(each in told for each in said.split("|"))
