"""Every reader of files that may be a stranger's: a sound file of its kind, and how it is read."""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from torch import nn

from fuzzing import contents as made
from kdistill.artifacts.arrays import read_npz, read_saved, read_tensors
from kdistill.artifacts.configs import read_config
from kdistill.artifacts.environment import commit
from kdistill.artifacts.mat_file import read_mat
from kdistill.artifacts.rbm_file import read_rbm
from kdistill.artifacts.result import Result
from kdistill.artifacts.resume_file import read_state
from kdistill.artifacts.run_arrays import read_answers, read_pictures, read_predictions
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json_lines
from kdistill.artifacts.weights import load_weights, read_weights
from kdistill.data.idx import idx_archive, read_idx
from kdistill.data.image_folder import ImageFolder
from kdistill.data.log_mel import frames_in, log_mel
from kdistill.data.packaged import read_table
from kdistill.data.pictures import FORMATS, Pictures
from kdistill.data.recordings import archive_of
from kdistill.data.tensors import TensorFile
from kdistill.data.torchvision_sets import obtain
from kdistill.data.unlabelled import Unlabelled
from kdistill.errors import UserError
from kdistill.library import rebuild
from kdistill.report import diff
from kdistill.report.contents import read
from kdistill.report.html import html
from kdistill.report.markdown import markdown


@dataclass(frozen=True)
class Reader:
    """`read` takes the path of `file` in a folder that `around` has filled.

    make: the sound content. pack: puts a mutant of it where damage would otherwise be noticed by
    the checksum of a container, and nothing inside be tried. slow: takes tenths of a second.
    """

    file: str
    make: Callable[[], bytes]
    read: Callable[[Path], object]
    pack: Callable[[bytes], bytes] = bytes
    around: Callable[[Path], None] = lambda folder: None
    slow: bool = False


def _mnist(path: Path) -> object:
    return read_idx(idx_archive("MNIST", "MNIST", str(path.parents[2])))


def _resumed(path: Path) -> object:
    """Damage is told, not raised, and the file before it is looked for."""
    told: list[str] = []
    state = read_state(path, told.append)
    assert state is not None or (len(told) == 1 and str(path) in told[0])
    return state


def _loaded(path: Path) -> None:
    load_weights(nn.Linear(4, 3), read_weights(path), str(path))


def _pictures(path: Path) -> object:
    return ImageFolder(str(path.parents[2]), [6, 6], 3, True, 0, 0, 0).load()


def _picture(path: Path) -> object:
    return Pictures([path], (6, 6), 1)[0]


def _heard(path: Path) -> object:
    return frames_in(path), log_mel(path, 8)


def _downloaded(path: Path) -> object:
    with (
        TemporaryDirectory(dir=path.parent, prefix=path.name) as folder,
        patch("kdistill.data.recordings.urlopen", lambda _: path.open("rb")),
    ):
        return obtain(archive_of(folder), "download")


def _reported(path: Path) -> object:
    contents = read(RunFolder(path.parent))
    return markdown(contents), html(contents)


def _shown(path: Path) -> object:
    return read_pictures(RunFolder(path.parent), made.figures()["cases"])


def _compared(path: Path) -> object:
    side = diff.read(RunFolder(path.parent))
    return diff.diff(side, side)


def _rebuilt(path: Path) -> object:
    folder = RunFolder(path.parent)
    return rebuild(folder, folder.student, None)


def _rezipped(whole: Callable[[], bytes], name: str, content: bytes) -> bytes:
    """A zip archive as `whole` makes it, with another member `name`."""
    return made.zipped({**made.members(whole()), name: content})


def _png(content: bytes) -> bytes:
    """A PNG whose chunks, as far as they can be told apart, have the right checksums."""
    mended, at = bytearray(content), 8
    while at + 12 <= len(content):
        end = at + 8 + int(struct.unpack(">I", content[at : at + 4])[0])
        if end + 4 > len(content):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return bytes(mended)


RUN: Mapping[str, Reader] = {
    "config.yaml": Reader("config.yaml", made.config, read_config),
    "student.yaml": Reader("student.yaml", made.student_config, _rebuilt, around=made.run_folder),
    "result.json": Reader("result.json", made.result, Result.read),
    "history.jsonl": Reader("history.jsonl", made.history, read_json_lines),
    "predictions": Reader("p.safetensors", made.predictions, read_predictions),
    "gallery": Reader("gallery.safetensors", made.gallery, _shown),
    "answers": Reader("a.safetensors", made.answers, read_answers),
    "difference": Reader(
        "cases.safetensors", made.answers, _compared, around=made.run_folder, slow=True
    ),
    **{
        f"report of {name}": Reader(name, make, _reported, around=made.run_folder, slow=True)
        for name, make in (
            ("result.json", made.result),
            ("config.yaml", made.config),
            ("history.jsonl", made.history),
            ("gallery.safetensors", made.gallery),
        )
    },
    "commit": Reader(".git/HEAD", made.head, lambda path: commit(path.parents[1])),
}

PICKLE = made.pickle_of(made.saved())
WEIGHTS: Mapping[str, Reader] = {
    "safetensors": Reader("w.safetensors", made.tensors, read_tensors),
    "safetensors, loaded": Reader("w.safetensors", made.bare_tensors, _loaded),
    "pt": Reader("w.pt", made.saved, _loaded),
    "pt, its pickle": Reader(
        "w.pt", lambda: made.members(made.saved())[PICKLE], _loaded,
        pack=partial(_rezipped, made.saved, PICKLE),
    ),
    "pt of old": Reader("w.pt", partial(made.saved, new=False), _loaded),
    "resume point": Reader("r.pt", made.state, _resumed),
    "resume point, its pickle": Reader(
        "r.pt", lambda: made.members(made.state())[PICKLE], _resumed,
        pack=partial(_rezipped, made.state, PICKLE),
    ),
    "anything saved": Reader("x.pt", made.state, read_saved),
    "rbm npz": Reader("rbm.npz", made.rbm_npz, read_rbm),
    "rbm safetensors": Reader("rbm.safetensors", made.rbm_tensors, read_rbm),
    "rbm mat": Reader("rbm.mat", made.rbm_mat, read_rbm),
}  # fmt: skip

DATA: Mapping[str, Reader] = {
    "npz": Reader("x.npz", made.npz, lambda path: TensorFile(str(path), None, 0, 0).load()),
    "npz, packed": Reader("x.npz", partial(made.npz, packed=True), read_npz),
    "npz, an array in it": Reader(
        "x.npz", lambda: made.members(made.npz())["train_labels.npy"],
        lambda path: TensorFile(str(path), None, 0, 0).load(),
        pack=partial(_rezipped, made.npz, "train_labels.npy"),
    ),
    "npy": Reader("x.npz", made.npy, read_npz),
    "unlabelled": Reader(
        "u.safetensors", made.unlabelled, lambda path: Unlabelled(str(path)).count(None)
    ),
    "mat": Reader("x.mat", made.mat, read_mat),
    "mat, packed": Reader("x.mat", partial(made.mat, packed=True), read_mat),
    "mat, inside": Reader("x.mat", made.mat_body, read_mat, pack=made.packed_mat),
    "csv.gz": Reader("x.csv.gz", made.csv_gz, partial(read_table, columns=3)),
    "csv": Reader("x.csv.gz", made.csv, partial(read_table, columns=3), pack=made.gzipped),
    **{
        f"idx {name}": Reader(
            f"MNIST/raw/{name}", partial(made.idx, name), _mnist, around=made.mnist_folder
        )
        for name in made.IDX
    },
    **{kind.lower(): Reader("x.png", partial(made.picture, kind), _picture) for kind in FORMATS},
    "png, sums mended": Reader("x.png", partial(made.picture, "PNG"), _picture, pack=_png),
    "image folder": Reader(
        "train/a/0.png", partial(made.picture, "PNG"), _pictures, around=made.picture_folder
    ),
    **{f"wav {kind}": Reader("x.wav", partial(made.sound, kind), _heard) for kind in made.SOUNDS},
    "recordings": Reader("x.tar.gz", made.release, _downloaded),
    "recordings, inside": Reader("x.tar.gz", made.tar, _downloaded, pack=made.gzipped),
}  # fmt: skip

READERS: dict[str, Reader] = {**RUN, **WEIGHTS, **DATA}


def outcome(reader: Reader, path: Path, content: bytes) -> str:
    """ "read" or "refused"; AssertionError where a refusal is not one line that names the file, or
    one beside it that does not fit it, and whatever else reading raises."""
    path.write_bytes(reader.pack(content))
    try:
        reader.read(path)
    except UserError as error:
        said = str(error)
        assert "\n" not in said, said
        assert str(path.parent) in said, said
        return "refused"
    return "read"


def folder_of(reader: Reader, folder: Path) -> Path:
    """The path of the reader's file below `folder`, which is filled."""
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    reader.around(folder)
    return path
