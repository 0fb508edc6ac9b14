"""Kill a run again and again, resume it, and compare it with one left alone.

    python scripts/kill_test.py            # 20 kills of a reduced demo
    python scripts/kill_test.py --kills 3  # what the project's own check does

Every second SIGKILL comes at a random moment, the others in the middle of a write (as soon as a
temporary file is seen). The weights and predictions must then be the same bytes, the measures the
same figures, and no stage may be trained again once it was finished.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json, read_json_lines

RUN = [
    *("+experiment=mnist_ensemble", "dataset.source=bundled", "teacher.members=2"),
    *("teacher.model.widths=[200,200]", "student.widths=[100]", "device.threads=1"),
    *("teacher.fit.epochs=6", "fit.epochs=12", "fit.average=0.9", "save_every=0.1"),
]
START = [sys.executable, "-m", "kdistill"]


def started(words: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """A run in a process group and with a cache of its own."""
    environment = {**os.environ, "KDISTILL_CACHE": str(folder.with_name(f"{folder.name}_cache"))}
    log = folder.with_suffix(".log").open("ab")
    return subprocess.Popen(
        [*START, *words], env=environment, start_new_session=True, stdout=log, stderr=log
    )


def files(folder: Path) -> Iterator[Path]:
    """Those in `folder`, whose folders may go while one looks."""
    for place, _, names in os.walk(folder):  # which leaves out what is gone
        yield from (Path(place, name) for name in names)


def written(folder: Path) -> dict[str, float]:
    """When each file of the run was last written."""
    found = {}
    for path in files(folder):
        try:
            found[str(path)] = path.stat().st_mtime
        except FileNotFoundError:  # a temporary one, renamed meanwhile
            continue
    return found


def half_written(folder: Path) -> set[Path]:
    """Temporary files of the run and of its cache."""
    places = (folder, folder.with_name(f"{folder.name}_cache"))
    return {path for place in places for path in files(place) if path.match(".*.tmp")}


def killed(process: subprocess.Popen[bytes], folder: Path, in_write: bool, pause: float) -> bool:
    """SIGKILL it `pause` seconds after it began to work, or in a write after that; False when it
    finished first."""
    before, stale = written(folder), half_written(folder)
    while process.poll() is None and written(folder) == before:
        time.sleep(0.01)
    until = time.monotonic() + pause
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    while process.poll() is None and in_write and half_written(folder) <= stale:
        pass  # no sleep: a write takes milliseconds
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def disturbed(folder: Path, kills: int, lots: random.Random) -> int:
    """One whole run, killed up to `kills` times; how often it was."""
    done, words = 0, ["train", *RUN, f"hydra.run.dir={folder}"]
    while True:
        process = started(words, folder)
        if done < kills and killed(process, folder, done % 2 == 1, lots.uniform(0, 1.5)):
            done += 1
            has_begun = RunFolder(folder).config.is_file()
            words = ["resume", str(folder)] if has_begun and lots.random() < 0.5 else words
            continue
        if process.wait() != 0:
            raise SystemExit(f"{folder}: exit code {process.returncode}; see its .log")
        return done


def differences(one: RunFolder, other: RunFolder) -> Iterator[str]:
    """What the disturbed run `other` has otherwise than `one`."""
    for name in ("student", "baseline", "predictions"):
        if getattr(one, name).read_bytes() != getattr(other, name).read_bytes():
            yield f"{name} differs"
    if measures(one) != measures(other):
        yield "measures differ"
    if epochs(one) != epochs(other):
        yield "histories differ"
    stages = list(dict.fromkeys(line["stage"] for line in read_json_lines(other.history)))
    order = [stages.index(line["stage"]) for line in read_json_lines(other.history)]
    if order != sorted(order):
        yield "a finished stage was trained again"
    if other.work.exists():
        yield "resume points are left over"


def measures(folder: RunFolder) -> dict[str, Any]:
    models = read_json(folder.result)["models"]
    return {name: (model["measures"], model["validation"]) for name, model in models.items()}


def epochs(folder: RunFolder) -> dict[tuple[str, int], Any]:
    """Loss terms and validation of each epoch; one that was done twice counts once."""
    lines = read_json_lines(folder.history)
    return {(line["stage"], line["epoch"]): (line["terms"], line["validation"]) for line in lines}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lots, kills, failures, runs = random.Random(args.seed), 0, [], 0
    with tempfile.TemporaryDirectory() as place:
        alone = Path(place) / "alone"
        disturbed(alone, 0, lots)
        while kills < args.kills and not failures:
            folder = Path(place) / f"killed_{runs}"
            kills += disturbed(folder, args.kills - kills, lots)
            failures += list(differences(RunFolder(alone), RunFolder(folder)))
            runs += 1
    print(f"{kills} kills in {runs} runs: " + ("; ".join(failures) or "every one as if left alone"))
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
