"""The recordings of the Free Spoken Digit Dataset: found in a folder, or downloaded."""

import gzip
import re
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from kdistill.data.torchvision_sets import Archive
from kdistill.errors import UserError

TITLE, FOLDER = "Free Spoken Digits", "free-spoken-digit-dataset"
URL = f"https://github.com/Jakobovski/{FOLDER}/archive/refs/tags/v1.0.10.tar.gz"
# of that version: 50 recordings of each digit by each speaker, the first five for the test
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TRAIN, TEST = 2700, 300
_FIRST_OF_TRAINING = 5
_MOST = 256 << 20  # bytes of the release, unfolded; version 1.0.10 has 32 MB
_NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav")


@dataclass(frozen=True, order=True)
class Recording:
    """One spoken digit."""

    digit: int
    speaker: str
    number: int
    file: Path


def archive_of(path: str) -> Archive:
    """Where the recordings are to be: in `path`, or in the folder of the data set's name in it."""
    root = Path(path).expanduser()
    is_clone = (root / "recordings").is_dir()
    folder = root / "recordings" if is_clone else root / FOLDER / "recordings"
    files = tuple(f"{digit}_*.wav" for digit in range(10))
    return Archive(TITLE, root, folder, files, lambda: _download(folder))


def recordings(archive: Archive) -> tuple[list[Recording], list[Recording]]:
    """(training, test), each ordered by digit, speaker and number; UserError when one is empty.

    The numbers 0 to 4 are the test set, as the authors say. Other files are passed over.
    """
    found = sorted(
        Recording(int(named[1]), named[2], int(named[3]), file)
        for file in archive.folder.iterdir()
        if (named := _NAME.fullmatch(file.name)) and file.is_file()
    )
    train = [one for one in found if one.number >= _FIRST_OF_TRAINING]
    test = [one for one in found if one.number < _FIRST_OF_TRAINING]
    for part, name, numbers in ((train, "training", "5 and up"), (test, "test", "0 to 4")):
        if not part:
            raise UserError(
                f"{archive.folder.absolute()}: no recording for the {name} set, whose numbers are "
                f"{numbers}, as in 7_jackson_32.wav; get the whole data set"
            )
    return train, test


def shortfall(train: int, test: int) -> tuple[str, ...]:
    """A warning where there are not as many recordings as the published figures are of."""
    if (train, test) == (TRAIN, TEST):
        return ()
    return (
        f"NOT THE USUAL {TITLE}: {train} training and {test} test recordings were found, where "
        f"version 1.0.10 has {TRAIN} and {TEST}",
    )


def _download(folder: Path) -> None:
    """Fetch the release and keep its recordings; the folder appears when all of them are there."""
    if folder.exists():
        raise OSError(f"{folder} exists and is not whole, delete it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as beside:
        whole = Path(beside) / folder.name
        whole.mkdir()
        with urlopen(URL) as response:
            packed = BytesIO(response.read(_MOST))
        with gzip.open(packed) as unpacked:  # tells an end that came too early
            content = BytesIO(unpacked.read(_MOST + 1))
        if len(content.getbuffer()) > _MOST:
            raise OSError(f"{URL} unfolds to more than {_MOST >> 20} MB")
        with tarfile.open(fileobj=content) as archive:
            for member in archive:
                sound = archive.extractfile(member) if _is_recording(member) else None
                if sound is not None:
                    (whole / Path(member.name).name).write_bytes(sound.read())
        whole.rename(folder)


def _is_recording(member: tarfile.TarInfo) -> bool:
    path = Path(member.name)
    return path.parent.name == "recordings" and _NAME.fullmatch(path.name) is not None
