"""Run ten reduced configs on two commits, and compare what comes out to the last bit.

    python scripts/same_bits.py main HEAD                 # commits, or folders of checkouts
    python scripts/same_bits.py main . --only rbm speech  # some of the configs

For a change of the code that is to change no result. All teachers, losses and transfer sets of
version 0.1.0 are in the configs; each runs on this machine's CPU with one thread, on both sides at
once. Compared are the tensors of student and baseline, what each model says of the test set, a
density's samples, and the figures of result.json; not seconds, sizes of files, hashes, texts and
the environment. The exit code is 1 where something differs. Takes two minutes on two quiet cores.
"""

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from safetensors.torch import load_file
from torch import Tensor

ALL = ("device=cpu", "device.threads=1", "device.precision=fp32")
FEW = (*ALL, "fit.epochs=2", "teacher.fit.epochs=2")
BITS = (
    *(*FEW, "+experiment=rbm_to_nade", "dataset@dataset.source=digits", "dataset.how=threshold"),
    *("teacher.fit.batch_size=32", "fit.batch_size=32", "measure.samples=400", "measure.sweeps=40"),
    *("measure.annealed_chains=40", "measure.temperatures=50"),
)
CHAINS = (
    *(*BITS, "teacher.hidden=8", "student.hidden=12"),
    *("transfer.chains=160", "transfer.burn_in=20", "transfer.epoch_size=2000"),
)
CONFIGS = {  # the overrides of `kdistill train`, in the folder where `write_inputs` was
    "network": [
        *(*FEW, "dataset=digits", "loss=soft_targets", "student=mlp_dropout"),
        *("student.widths=[12]", "teacher.model.widths=[20]", "fit.average=0.9", "fit.clip=1"),
    ],
    "ensemble": [
        *(*FEW, "dataset=mnist", "dataset.source=bundled", "teacher=ensemble"),
        *("teacher.members=2", "teacher.bootstrap=true", "loss=mixture", "repair=validation"),
        *("student=lenet", "student.preprocessing.size=16", "student.channels=[4,8]"),
        *("student.hidden=30", "teacher.model.widths=[30]", "transfer.omit_classes=[3]"),
    ],
    "born_again": [
        *(*FEW, "dataset=digits", "teacher=born_again", "teacher.rounds=2", "loss=noisy_logits"),
        *("teacher.answer=geometric", "transfer=shifted", "student.widths=[12]"),
        *("teacher.model.widths=[20]", "fit.keep=best"),
    ],
    "community": [
        *(*FEW, "dataset=digits", "teacher=community", "teacher.members=2", "loss=logits"),
        *("transfer=unlabelled", "transfer.path=more.npz", "baseline=false"),
        *("student.widths=[12]", "teacher.model.widths=[20]"),
    ],
    "specialists": [
        *(*FEW, "dataset=digits", "teacher=specialists", "teacher.specialist_fit.epochs=2"),
        *("transfer=noise", "transfer.size=1000", "loss.hard_weight=0", "baseline=false"),
        *("student=convnet", "student.channels=[4,8,8]", "student.hidden=20"),
        "teacher.model.widths=[20]",
    ],
    "speech": [
        *(*ALL, "dataset=spoken_digit_frames", "dataset.path=recordings", "dataset.mels=8"),
        *("dataset.past=4", "dataset.future=2", "dataset.validation=10", "measure=speech"),
        *("teacher=none", "loss=hard_labels", "loss.label_smoothing=0.1", "baseline=false"),
        *("student.widths=[32]", "fit.epochs=2"),
    ],
    "derivatives": [
        *(*FEW, "dataset=mnist", "dataset.source=bundled", "loss=derivative_matching"),
        *("transfer.size=500", "student.widths=[20]", "teacher.model.widths=[30]"),
    ],
    "rbm": [*CHAINS, "teacher.sweeps=2", "loss=density_mixture"],
    "rbm_chains": [*CHAINS, "teacher.chains=64", "loss=reverse_kl"],
    "nade_mixture": [
        *(*BITS, "teacher=nade_mixture", "teacher.members=2", "teacher.model.hidden=12"),
        *("transfer=train", "loss=squared_log_ratio", "student=made", "student.widths=[12]"),
    ],
}
RENAMED = {"measure": "task", "labels": "targets"}  # of keys and tensors: what some commits call it
TENSORS = ("student", "baseline", "predictions", "densities", "samples")
UNCOMPARED = ("latency_ms", "bytes", "Seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commits", nargs=2, help="a commit, or the folder of a checkout")
    parser.add_argument("--only", nargs="+", choices=CONFIGS, default=[*CONFIGS])
    args = parser.parse_args()
    differ = 0
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as both:
        folders = [Path(place) / side for side in "ab"]
        codes = list(map(checkout, args.commits, [folder / "code" for folder in folders]))
        for folder in folders:
            write_inputs(folder)
        for name in args.only:
            runs = list(both.map(ran, [name, name], codes, folders))
            found = list(differences(*runs))
            differ += bool(found)
            print(f"{name:<14}{found[0] if found else 'same'}", flush=True)
            for line in found[1:]:
                print(f"{'':<14}{line}")
    return int(differ > 0)


def checkout(commit: str, folder: Path) -> Path:
    """The folder of its code: `commit` itself where it is one, else its files, put in `folder`."""
    if Path(commit).is_dir():
        return Path(commit).resolve()
    root = Path(__file__).parents[1]
    packed = subprocess.run(["git", "archive", commit], cwd=root, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def write_inputs(folder: Path) -> None:
    """What the configs read: unlabelled pictures, and noises in the place of spoken digits."""
    (folder / "recordings" / "recordings").mkdir(parents=True)
    noise = np.random.default_rng(0)
    np.savez(folder / "more.npz", inputs=noise.integers(256, size=(500, 1, 8, 8), dtype=np.uint8))
    for digit in range(10):
        for speaker in ("ann", "bob"):
            for number in (0, 5, 6):
                sound = noise.normal(scale=0.1, size=600 + 80 * digit).cumsum() / 10
                file = folder / "recordings" / "recordings" / f"{digit}_{speaker}_{number}.wav"
                soundfile.write(file, sound, 8000)


def ran(name: str, code: Path, folder: Path) -> Path:
    """The run folder of that config on that code; SystemExit with what was said where it fails."""
    cache = {"KDISTILL_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **cache, "PYTHONPATH": str(code)}
    run = folder / "runs" / name
    for words in (CONFIGS[name], list(map(renamed, CONFIGS[name]))):
        command = [sys.executable, "-m", "kdistill", "train", *words, f"hydra.run.dir={run}"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode != 2:  # another name of a key is refused
            break
    if done.returncode:
        raise SystemExit(f"{name} fails on {code}:\n{done.stderr}")
    return run


def renamed(word: str) -> str:
    """An override with each part of its key as RENAMED has it."""
    key, equals, value = word.partition("=")
    return ".".join(RENAMED.get(part, part) for part in key.split(".")) + equals + value


def differences(one: Path, other: Path) -> Iterator[str]:
    """A line for each file and each figure that two run folders have otherwise."""
    for name in TENSORS:
        digests = [tensors(folder / f"{name}.safetensors") for folder in (one, other)]
        for tensor, a, b in unequal(*digests):
            yield f"{name}, {tensor}: {a} and {b}"
    for name, a, b in unequal(*(figures(folder / "result.json") for folder in (one, other))):
        yield f"{name}: {a} and {b}"


def unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(name, value, value) where the values differ in any digit; None: there is none."""
    for name in dict.fromkeys([*one, *other]):
        if repr(one.get(name)) != repr(other.get(name)):  # so that NaN is NaN
            yield name, one.get(name), other.get(name)


def tensors(file: Path) -> dict[str, str]:
    """A digest of the kind, the shape and the bytes of each tensor in `file`; {} without a file."""
    stored = load_file(file) if file.is_file() else {}
    return {RENAMED.get(name, name): digest(tensor) for name, tensor in stored.items()}


def digest(tensor: Tensor) -> str:
    about = f"{tensor.dtype}{[*tensor.shape]}".encode()
    return hashlib.sha256(about + tensor.numpy().tobytes()).hexdigest()[:12]


def figures(file: Path) -> dict[str, float]:
    """The figures of a result.json by dotted names: measures, parameters, gain, answers, tables."""
    result = json.loads(file.read_text(encoding="utf-8"))
    tables = {
        table["title"]: [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        for table in result["tables"]
    }
    parts = {name: result[name] for name in ("models", "gain", "signals")}
    return dict(numbers({**parts, "tables": tables}))


def numbers(node: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number in JSON values with its dotted key, but for UNCOMPARED ones."""
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(node, dict):
        inner = [(name, each) for name, each in node.items() if name not in UNCOMPARED]
    elif isinstance(node, list):
        inner = list(enumerate(node))
    elif isinstance(node, int | float):
        yield key, node
    for name, each in inner:
        yield from numbers(each, f"{key}.{name}".strip("."))


if __name__ == "__main__":
    sys.exit(main())
