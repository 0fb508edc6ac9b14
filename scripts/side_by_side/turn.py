"""One turn: one contender, once, in this process; prints what it took as one line of JSON."""

import json
import resource
import sys
import time
from copy import deepcopy
from importlib import import_module

import torch

from side_by_side.cases import Case
from side_by_side.work import Work, final_loss, make_work

MEGABYTE = 1024 if sys.platform == "linux" else 1024**2  # ru_maxrss counts KiB, on macOS bytes


def peak_memory() -> float:
    """The largest memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def take(case: Case, contender: str, threads: int, seed: int) -> dict[str, float]:
    """Train once. Imports, data and models are made before the clock starts."""
    torch.set_num_threads(threads)
    file, name = contender.split(".")
    train = getattr(import_module(f"side_by_side.contenders.{file}"), name)
    work = make_work(case, seed)
    _warm_up(train, work)
    before = peak_memory()
    torch.manual_seed(seed)
    wall, cpu = time.perf_counter(), time.process_time()
    own = train(work) or {}
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_memory()
    return {
        "wall": wall,
        "cpu": cpu,
        "before": before,
        "peak": peak,
        **own,
        "loss": final_loss(work),
    }


def _warm_up(train, work: Work) -> None:  # type: ignore[no-untyped-def]
    """torch's own start-up, and what a library sets up on first use."""
    train(deepcopy(work).less(images=256, epochs=1))


def main() -> None:
    """Arguments: {"case": fields of a Case, "contender": its name, "threads": n, "seed": n}."""
    told = json.loads(sys.argv[1])
    for network in ("teacher", "student"):
        told["case"][network] = tuple(told["case"][network])
    taken = take(Case(**told["case"]), told["contender"], told["threads"], told["seed"])
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
