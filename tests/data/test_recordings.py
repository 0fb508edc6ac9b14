"""Recordings: which are found, and how a download ends."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from kdistill.data import recordings as module
from kdistill.data.recordings import archive_of, recordings, shortfall
from kdistill.data.torchvision_sets import obtain
from kdistill.errors import UserError

NAMES = [f"{digit}_{who}_{n}.wav" for digit in range(10) for who in ("ann", "bob") for n in (0, 5)]


def release(names: list[str]) -> bytes:
    """A .tar.gz as GitHub makes one of a tag, holding also what is no recording."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name in [*names, "notes.txt", "../../outside_x_0.wav"]:
            member = tarfile.TarInfo(f"free-spoken-digit-dataset-1.0.10/recordings/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return written.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    """Downloads bring `content`; the list grows by every address asked for."""
    asked: list[str] = []

    def urlopen(url: str) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(module, "urlopen", urlopen)
    return asked


def test_a_download_keeps_the_recordings_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, release(NAMES))
    root = tmp_path / "deep" / "data"
    assert obtain(archive_of(str(root)), "auto") == "download"
    assert asked == [module.URL]
    folder = root / "free-spoken-digit-dataset" / "recordings"
    assert sorted(file.name for file in folder.iterdir()) == sorted(NAMES)
    assert all(file.read_text() == file.name for file in folder.iterdir())
    assert sorted(each.name for each in folder.parent.iterdir()) == ["recordings"]
    assert not list(tmp_path.rglob("outside*"))
    assert obtain(archive_of(str(root)), "auto") == "files"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (release(NAMES)[:300], "the download failed"),
        (release(NAMES)[:-1], "the download failed"),
        (release(NAMES)[:200] + b"\xff" * 200, "the download failed"),
        (b"not an archive", "the download failed"),
        (release(NAMES[4:]), r"lacks 0_\*.wav, and the download did not bring them"),
    ],
)
def test_a_download_that_is_not_whole_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    serve(monkeypatch, content)
    with pytest.raises(UserError, match=says) as caught:
        obtain(archive_of(str(tmp_path)), "download")
    assert "\n" not in str(caught.value)
    if says == "the download failed":
        assert not list(tmp_path.rglob("*.wav"))


def test_a_download_that_unfolds_without_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 10_000)
    serve(monkeypatch, gzip.compress(bytes(1_000_000)))
    with pytest.raises(UserError, match="unfolds to more than"):
        obtain(archive_of(str(tmp_path)), "download")


def test_a_folder_of_some_digits_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, release(NAMES))
    folder = tmp_path / "free-spoken-digit-dataset" / "recordings"
    folder.mkdir(parents=True)
    (folder / "1_ann_0.wav").write_text("mine")
    with pytest.raises(UserError, match=r"lacks 0_\*.wav, 2_\*.wav.* is not whole, delete it"):
        obtain(archive_of(str(tmp_path)), "auto")
    assert [file.read_text() for file in folder.iterdir()] == ["mine"]
    assert asked == []


def test_a_clone_may_be_named_itself(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    assert archive_of(str(tmp_path)).folder == tmp_path / "recordings"


def test_the_first_five_numbers_are_the_test_set(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    names = ["7_ann_10.wav", "7_ann_5.wav", "0_bob_6.wav", "7_ann_4.wav", "0_ann_0.wav"]
    for name in [*names, "README.md", "7_ann.wav", "7_ann_1.mp3"]:
        (folder / name).touch()
    os.mkfifo(folder / "3_ann_7.wav")
    train, test = recordings(archive_of(str(tmp_path)))
    assert [one.file.name for one in train] == ["0_bob_6.wav", "7_ann_5.wav", "7_ann_10.wav"]
    assert [one.file.name for one in test] == ["0_ann_0.wav", "7_ann_4.wav"]
    assert (train[1].digit, train[1].speaker, train[1].number) == (7, "ann", 5)
    (folder / "7_ann_4.wav").unlink()
    (folder / "0_ann_0.wav").unlink()
    with pytest.raises(UserError, match="no recording for the test set, whose numbers are 0 to 4"):
        recordings(archive_of(str(tmp_path)))


def test_fewer_recordings_are_told() -> None:
    assert shortfall(2700, 300) == ()
    (warning,) = shortfall(2699, 300)
    assert "2699 training and 300 test recordings were found" in warning
