"""Sound files of every kind that kdistill reads, small and the same each time."""

import gzip
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml
from PIL import Image
from safetensors.torch import save
from scipy.io import savemat
from torch import Tensor, nn

from kdistill.artifacts.figures import (
    Bar,
    Case,
    Cases,
    Curves,
    Line,
    Mark,
    Matrix,
    Picture,
    Shown,
)
from kdistill.artifacts.files import CHECKSUM, checksum
from kdistill.artifacts.result import Cost, Gain, Measure, ModelResult, Result, Table
from kdistill.data.class_names import FEW

CASES, CLASSES, SHAPE = 30, 3, (1, 6, 6)
IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SOUNDS = ("PCM_16", "FLOAT", "MS_ADPCM", "FLAC")
STUDENT = {"_target_": "kdistill.models.mlp.MLP", "widths": [4], "dropout": 0.0}


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def floats(*shape: int) -> Tensor:
    return torch.from_numpy(numbers(*shape))


# a run


def config() -> bytes:
    fit = {"epochs": 2, "batch_size": 8, "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}}
    loss = {"_target_": "kdistill.losses.soft_targets.SoftTargets", "temperature": 4.0}
    whole = {"name": "fuzzed", "seed": 0, "student": STUDENT, "loss": loss, "fit": fit}
    return yaml.safe_dump({**whole, "task": {"bins": 5}, "dataset": {"path": None}}).encode()


def student_config() -> bytes:
    about = {"model": STUDENT, "input_shape": [*SHAPE], "classes": [*"abc"]}
    return yaml.safe_dump(about).encode()


def result() -> bytes:
    found = {
        "errors": Measure(3, CASES, (1.0, 6.0), "count", "lower"),
        "nll": Measure(0.25, CASES, (0.1, 0.5), "nats", "lower"),
    }
    cost = Cost(100, 500, 90, {"1": 0.01, "256": 0.5}, "1 thread, cpu")
    model = ModelResult(found, cost, validation=found)
    models = {"teacher": ModelResult(found, cost, [model]), "student": model, "baseline": model}
    whole = Result(
        experiment="fuzzed",
        seed=0,
        config_hash="0123456789abcdef",
        main="errors",
        seconds={"teacher": 1.5, "student": 2.0, "total": 3.5},
        dataset={"name": "digits", "train": 90, "test": CASES, "classes": [*"abc"], "note": ""},
        models=models,
        compression={"parameters": 1.0, "bytes": None},
        gain=Gain(0.5, 0.04, "McNemar", ["errors"]),
        signals={"mode": "stored", "asked": 90, "reused": 0, "teacher": "abad1dea"},
        environment={"python": "3.11", "packages": {"torch": "2.15"}},
        warnings=["a warning"],
        tables=[Table("A table", ["name", "value"], [["one", 1], ["two", None]], "Note.")],
        **figures(),
    )
    return json.dumps(asdict(whole)).encode()


def figures() -> dict[str, Any]:
    """What the report of a result draws."""
    x, y = [1.0, 2.0, 4.0], [0.5, 0.25, 0.125]
    lines = [Line("a", "student", x, y, cases=[3, 2, 1]), Line("b", "teacher", x, y, y, y, "c")]
    marked = Curves("Curves", "x", "y", lines, "Note.", True, [Mark("m", "teacher", 1.0, 0.5)])
    counts = [[3, 1, 0], [0, 2, 0], [0, 0, 4]]
    bars = [Bar("a", {"teacher": 0.75, "student": 0.25})]
    inputs = (
        Shown(Picture("gallery", "inputs", [0])),
        Shown(Picture("gallery", "inputs", [0, 1, 3])),
        Shown(text="text"),
        Shown(numbers=[0.5, 2.0]),
    )
    cases = [Case("Labelled a", each, bars * place, "Note.") for place, each in enumerate(inputs)]
    return {
        "terms": {"Errors": "a count"},
        "curves": [marked],
        "matrices": [Matrix("student", [*"abc"], counts, 3, "Note.")],
        "cases": [Cases("Some cases", cases, "Note.")],
    }


def history() -> bytes:
    lines = (
        {
            "stage": stage,
            "epoch": epoch,
            "epochs": 3,
            "terms": {"total": 1.5 / epoch},
            "validation": {"errors": 9 / epoch, "nll": 0.3},
            "training": {"accuracy": 0.9},
            "learning_rate": 0.1,
            "seconds": 0.5,
        }
        for stage in ("teacher", "student", "baseline")
        for epoch in (1, 2, 3)
    )
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def predictions() -> bytes:
    models = {name: floats(CASES, CLASSES).softmax(1) for name in ("teacher", "student")}
    return save({"index": torch.arange(CASES), "labels": torch.arange(CASES) % CLASSES, **models})


def gallery() -> bytes:
    return save({"inputs": (floats(4, *SHAPE) * 255).byte(), "row": torch.arange(4)})


def answers() -> bytes:
    student = {"error": torch.ones(CASES), "answer": torch.zeros(CASES).long()}
    student["confidence"] = floats(CASES)
    about = {"index": torch.arange(CASES), "target": torch.arange(CASES) % CLASSES}
    return save({**about, **{f"student.{name}": each for name, each in student.items()}})


def head() -> bytes:
    return b"0123456789abcdef0123456789abcdef01234567\n"


def run_folder(folder: Path) -> None:
    """A finished run, in all files that its report and its student are made of."""
    for name, content in (
        ("config.yaml", config()),
        ("student.yaml", student_config()),
        ("result.json", result()),
        ("history.jsonl", history()),
        ("predictions.safetensors", predictions()),
        ("gallery.safetensors", gallery()),
        ("cases.safetensors", answers()),
        ("student.safetensors", save(student_state())),
    ):
        (folder / name).write_bytes(content)


@cache
def student_state() -> dict[str, Tensor]:
    from kdistill.data.spec import Array
    from kdistill.models.network import make_network

    return make_network(STUDENT, Array(SHAPE), CLASSES).state_dict()


# weights


def tensors() -> bytes:
    held = {"weight": floats(3, 4), "half": floats(2).half(), "count": torch.tensor(3)}
    return save(held, metadata={CHECKSUM: checksum(held)})


def bare_tensors() -> bytes:
    return save({"weight": floats(3, 4), "bias": floats(3)})


def saved(new: bool = True) -> bytes:
    content = BytesIO()
    state = {"state_dict": nn.Linear(4, 3).state_dict(), "epoch": 3}
    torch.save(state, content, _use_new_zipfile_serialization=new)
    return content.getvalue()


def state() -> bytes:
    content = BytesIO()
    whole = {"weights": {"a": floats(50)}, "step": 12, "rates": [0.1, 0.2], "name": None}
    torch.save({**whole, "random": [{"cpu": torch.get_rng_state()[:64].clone()}]}, content)
    return content.getvalue()


def pickle_of(content: bytes) -> str:
    return next(name for name in members(content) if name.endswith("data.pkl"))


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: Mapping[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def rbm() -> dict[str, np.ndarray]:
    return {"W": numbers(5, 3), "visible_bias": numbers(5), "hidden_bias": numbers(3)}


def rbm_npz() -> bytes:
    content = BytesIO()
    np.savez(content, **rbm())
    return content.getvalue()


def rbm_tensors() -> bytes:
    return save({name: torch.from_numpy(array) for name, array in rbm().items()})


def rbm_mat() -> bytes:
    content = BytesIO()
    savemat(content, rbm())
    return content.getvalue()


# data


def arrays() -> dict[str, Any]:
    labels = np.arange(2 * FEW) % CLASSES
    return {
        "train_inputs": numbers(2 * FEW, 4),
        "train_labels": labels,
        "test_inputs": numbers(2 * FEW, 4),
        "test_labels": labels,
    }


def npz(packed: bool = False) -> bytes:
    content = BytesIO()
    (np.savez_compressed if packed else np.savez)(content, **arrays())
    return content.getvalue()


def npy() -> bytes:
    content = BytesIO()
    np.save(content, numbers(3, 4))
    return content.getvalue()


def unlabelled() -> bytes:
    return save({"inputs": floats(9, 4)})


def mat(packed: bool = False) -> bytes:
    content = BytesIO()
    held = {"x": numbers(3, 4).astype(float), "n": np.arange(6, dtype="i2"), "text": "hello"}
    savemat(content, held, do_compression=packed)
    return content.getvalue()


def mat_body() -> bytes:
    """The first element of a .mat file."""
    content = mat()
    return content[128 : 136 + int(struct.unpack("<I", content[132:136])[0])]


def packed_mat(body: bytes) -> bytes:
    packed = zlib.compress(body)
    return mat()[:128] + struct.pack("<II", 15, len(packed)) + packed


def csv() -> bytes:
    return b"".join(b"%d,%d.5,%d\n" % (row, row, row % 10) for row in range(20))


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def csv_gz() -> bytes:
    return gzipped(csv())


def idx(name: str) -> bytes:
    count = 20 if name.startswith("train") else 10
    if "labels" in name:
        return struct.pack(">II", 0x801, count) + bytes(row % 10 for row in range(count))
    return struct.pack(">IIII", 0x803, count, 28, 28) + bytes(784 * count)


def mnist_folder(folder: Path) -> None:
    for name in IDX:
        (folder / "MNIST/raw" / name).write_bytes(idx(name))


def picture(kind: str) -> bytes:
    content, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    colours = Image.fromarray((numbers(9, 7, 3) * 255).astype(np.uint8))
    more = {"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}
    colours.save(content, kind, **more)
    return content.getvalue()


def picture_folder(folder: Path) -> None:
    for part in ("train", "test"):
        for label in "ab":
            (folder / part / label).mkdir(parents=True, exist_ok=True)
            (folder / part / label / "1.png").write_bytes(picture("PNG"))


def sound(kind: str) -> bytes:
    content, samples = BytesIO(), numbers(900) - 0.5
    if kind == "FLAC":
        soundfile.write(content, samples, 8000, format="FLAC")
    else:
        soundfile.write(content, samples, 8000, subtype=kind, format="WAV")
    return content.getvalue()


def tar() -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for digit in range(10):
            for number in (0, 7):
                member = tarfile.TarInfo(f"set-1/recordings/{digit}_ann_{number}.wav")
                member.size = 5
                archive.addfile(member, BytesIO(b"sound"))
    return content.getvalue()


def release() -> bytes:
    return gzipped(tar())
