"""Mistakes in the data: files that are missing, damaged, of another kind, or not for this run."""

import gzip
import io
import json
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from kdistill.cli import main

WORDS = ["device=cpu", "fit.epochs=1", "teacher.fit.epochs=1", "hydra.run.dir=run"]
WORDS += ["student.widths=[8]", "teacher.model.widths=[8]"]
TENSORS = [*WORDS, "dataset=tensors", "dataset.path=mine.npz"]
MNIST = [*WORDS, "dataset=mnist", "dataset.source=files", "dataset.validation=2"]
PICTURES = [*WORDS, "dataset=image_folder", "dataset.path=pictures", "dataset.size=[8,8]"]
IDX = {"train": 20, "t10k": 10}


class Trap:
    """A pickle of this would touch a file when it is read."""

    def __reduce__(self):
        return open, ("trapped", "w")


def arrays(**changed):
    """A data set of 3 classes as arrays, some of them changed; None leaves one out."""
    draw = np.random.default_rng(0)
    whole = {
        "train_inputs": draw.normal(size=(60, 5)).astype(np.float32),
        "train_labels": np.arange(60) % 3,
        "test_inputs": draw.normal(size=(30, 5)).astype(np.float32),
        "test_labels": np.arange(30) % 3,
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def holding(array, value):
    """A copy with `value` in one place."""
    copy = array.copy()
    copy[(7,) + (0,) * (copy.ndim - 1)] = value
    return copy


WHOLE = arrays()
ARRAYS = [
    ({"test_labels": None}, "no array test_labels in it; it holds test_inputs, train_inputs, trai"),
    ({"train_inputs": None}, "no array train_inputs in it"),
    ({"train_inputs": holding(WHOLE["train_inputs"], np.nan)}, "train_inputs[7] holds NaN or inf"),
    (
        {"train_inputs": WHOLE["train_inputs"].astype("U8")},
        "train_inputs must be numbers, it is an",
    ),
    ({"train_inputs": WHOLE["train_inputs"].astype(int)}, "train_inputs must be uint8 or floating"),
    ({"test_inputs": WHOLE["test_inputs"][:, :4]}, "test_inputs are float32 [4], but train_inputs"),
    ({"train_labels": WHOLE["train_labels"][:50]}, "train_labels must have the shape [60], one fo"),
    ({"test_labels": holding(WHOLE["test_labels"], 3)}, "test_labels[7] is 3, but 3 classes (coun"),
    ({"train_labels": WHOLE["train_labels"] * 0}, "dataset.classes: two or more classes are neede"),
    ({"train_inputs": np.array([Trap()] * 60)}, "mine.npz: not a readable .npz file"),
]


@pytest.mark.parametrize(("changed", "said"), ARRAYS)
def test_arrays_that_do_not_fit(changed, said, train, desk):
    np.savez(desk / "mine.npz", **arrays(**changed))
    told = train(small=TENSORS)
    assert said in told
    assert "mine.npz" in told or "dataset.classes" in told
    assert not (desk / "trapped").exists()


def test_label_10_of_10_classes(train, desk):
    np.savez(desk / "mine.npz", **arrays(train_labels=holding(WHOLE["train_labels"], 10)))
    told = train("dataset.classes=10", small=TENSORS)
    assert "train_labels[7] is 10, but 10 classes (dataset.classes) allow 0..9" in told


def test_labels_for_a_loss_where_there_are_none(train, desk):
    np.savez(desk / "mine.npz", **arrays(train_labels=None))
    told = train("dataset.classes=3", small=TENSORS)
    assert (
        "transfer: the loss needs labels, and these inputs have none; set loss.hard_weight=0"
        in told
    )


def test_a_class_left_out_where_there_are_no_labels(train, desk):
    np.savez(desk / "mine.npz", **arrays(train_labels=None))
    words = "dataset.classes=3", "loss.hard_weight=0", "baseline=false", "transfer.omit_classes=[1]"
    assert "transfer.omit_classes needs labels" in train(*words, small=TENSORS)


def test_a_teacher_that_would_learn_from_labels_where_there_are_none(train, desk):
    np.savez(desk / "mine.npz", **arrays(train_labels=None))
    told = train("dataset.classes=3", "loss.hard_weight=0", "baseline=false", small=TENSORS)
    assert told.startswith("teacher.loss: it learns from labels, and the training set has none; g")


def test_a_teacher_at_chance_level_is_warned_of(desk, capsys, monkeypatch):
    """No mistake that stops a run: some want it so. It is told before the student begins."""
    words = ["dataset=digits", "teacher.fit.optimizer.lr=1e-9", "baseline=false"]
    assert main(["train", *WORDS, *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    warning = next(line for line in lines if line.startswith("WARNING: the teacher is right on"))
    assert "of 200 validation examples" in warning
    assert "no better than chance" in warning
    assert lines.index(warning) < next(
        place for place, line in enumerate(lines) if line.startswith("student")
    )
    result = json.loads((desk / "run/result.json").read_text())
    assert result["warnings"] == [warning.removeprefix("WARNING: ")]


def test_images_are_needed_to_shift_them(train, desk):
    np.savez(desk / "mine.npz", **arrays())
    told = train("transfer=shifted", small=TENSORS)
    assert "transfer.augmentation: needs images [channels, height, width]" in told


def npz(desk):
    np.savez(desk / "mine.npz", **arrays())


def cut_short(desk):
    npz(desk)
    whole = (desk / "mine.npz").read_bytes()
    (desk / "mine.npz").write_bytes(whole[: len(whole) // 2])


def no_archive(desk):
    (desk / "mine.npz").write_bytes(pickle.dumps(Trap()))


def one_array(desk):
    with (desk / "mine.npz").open("wb") as file:
        np.save(file, WHOLE["train_inputs"])


FILES = [
    (lambda desk: None, [], "dataset.path=mine.npz: no such file in "),
    (npz, ["dataset.path=mine.csv"], "dataset.path=mine.csv: must end in .npz or .safetensors"),
    (cut_short, [], "mine.npz: not a readable .npz file"),
    (no_archive, [], "mine.npz: not a readable .npz file"),
    (one_array, [], "mine.npz: not a readable .npz file"),
]


@pytest.mark.parametrize(("prepare", "words", "said"), FILES)
def test_a_file_that_is_no_data_set(prepare, words, said, train, desk):
    prepare(desk)
    assert said in train(*words, small=TENSORS)
    assert not (desk / "trapped").exists()


def idx(folder):
    """The four files of a tiny MNIST."""
    raw = folder / "data/MNIST/raw"
    raw.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for part, count in IDX.items():
        pixels = draw.integers(0, 256, (count, 28, 28)).astype(np.uint8).tobytes()
        images = struct.pack(">4I", 0x803, count, 28, 28) + pixels
        labels = struct.pack(">2I", 0x801, count) + bytes(each % 10 for each in range(count))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return raw


DAMAGE = [
    (
        "train-images-idx3-ubyte",
        lambda old: b"\x00\x00\x08\x01" + old[4:],
        "it begins with 00000801",
    ),
    ("train-images-idx3-ubyte", lambda old: gzip.compress(old), "it begins with 1f8b08"),
    ("t10k-images-idx3-ubyte", lambda old: old[:-100], "its header asks for 7856"),
    (
        "train-labels-idx1-ubyte",
        lambda old: struct.pack(">2I", 0x801, 19) + old[9:],
        "19 labels for",
    ),
    ("train-labels-idx1-ubyte", lambda old: old[:-1] + b"\x0a", "it holds a label 10, above 9"),
]


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGE)
def test_an_idx_file_that_is_not_whole(name, damage, said, train, desk):
    file = idx(desk) / name
    file.write_bytes(damage(file.read_bytes()))
    told = train(small=MNIST)
    assert told.startswith(f"{file}: damaged (")
    assert said in told
    assert told.endswith("delete it and run again with dataset.source=download")


def test_idx_files_that_are_not_there(train, desk):
    (idx(desk) / "t10k-labels-idx1-ubyte").unlink()
    told = train(small=MNIST)
    assert "lacks t10k-labels-idx1-ubyte, and dataset.source=files" in told
    assert "dataset.path=FOLDER" in told


def pictures(desk):
    """Two classes of tiny pictures."""
    for part in ("train", "test"):
        for place, name in enumerate(("cat", "dog")):
            (desk / "pictures" / part / name).mkdir(parents=True)
            for number in range(4):
                picture = Image.new("RGB", (8, 8), (200 * place, 10 * number, 0))
                picture.save(desk / "pictures" / part / name / f"{number}.png")
    return desk / "pictures"


def empty_class(folder):
    for file in (folder / "train/cat").iterdir():
        file.unlink()


def no_test(folder):
    (folder / "test").rename(folder / "tests")


def other_class(folder):
    (folder / "test/dog").rename(folder / "test/wolf")


def no_picture(folder):
    (folder / "train/dog/2.png").write_text("<html>not found</html>")


def half_a_picture(folder):
    file = folder / "train/dog/2.png"
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, "png")
    file.write_bytes(stream.getvalue()[:5000])


FOLDERS = [
    (empty_class, [], "cat"),
    (no_test, [], "test"),
    (other_class, [], "'dog'"),
    (no_picture, [], "dog/2.png: not a readable image"),
    (half_a_picture, [], "dog/2.png: not a readable image"),
    (no_picture, ["dataset.resident=false"], "dog/2.png: not a readable image"),
    (lambda folder: None, ["dataset.path=nodir"], "nodir"),
    (lambda folder: None, ["dataset.size=[8]"], "dataset: size must be [height, width]"),
    (
        lambda folder: None,
        ["student=resnet", "student.preprocessing.channels=1"],
        "channels must be",
    ),
]


@pytest.mark.parametrize(("spoil", "words", "said"), FOLDERS)
def test_pictures_that_do_not_fit(spoil, words, said, train, desk):
    spoil(pictures(desk))
    small = [
        word for word in PICTURES if not word.startswith("student.") or "student" not in str(words)
    ]
    assert said in train(*words, small=small)
