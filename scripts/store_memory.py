"""What memory storing a frozen teacher's answers takes: python scripts/store_memory.py [INPUTS].

A linear teacher of 1000 classes is asked about INPUTS (100,000) inputs of 32 numbers, its answers
are kept in a folder and then looked up. Printed is how much the process grew, in times the size of
the answers: at its peak, of which mapped files are a part that the system takes back at will, and
without those.
"""

import resource
import sys
import tempfile
import threading
from pathlib import Path

import torch

from kdistill.data.batch import Batch, Examples
from kdistill.events import silent
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import StoredAnswers

CLASSES, NUMBERS = 1000, 32


class Linear:
    """Answers live, without a graph."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(NUMBERS, CLASSES)

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        """Of one matrix product."""
        with torch.no_grad():
            return ask(self.network, batch, needs)


class Anonymous:
    """The most memory without mapped files that this process has, sampled while it is inside."""

    def __enter__(self) -> "Anonymous":
        self.most, self._over = anonymous(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, anonymous())


def anonymous() -> int:
    """Bytes of this process that belong to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])


def peak() -> int:
    """Bytes that this process has had at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(inputs: int) -> None:
    """Print the growth."""
    needs, cpu = frozenset({ANSWER}), torch.device("cpu")
    examples = Examples(torch.randn(inputs, NUMBERS), None, torch.arange(inputs))
    teacher, size = Linear(), 4 * CLASSES * inputs
    few = StoredAnswers(teacher, None, cpu)
    few.collect(examples.take(torch.arange(600)), needs, silent)  # what is imported late
    with tempfile.TemporaryDirectory() as folder, Anonymous() as without:
        start, before = peak(), anonymous()
        answers = StoredAnswers(teacher, Path(folder) / "answers", cpu)
        answers.collect(examples, needs, silent)
        most = peak()
        answers.answer(Batch(examples.inputs[:128], index=examples.index[:128]), needs)
    print(f"answers: {size / 1e6:.0f} MB")
    for name, grown in (("peak", most - start), ("without mapped files", without.most - before)):
        print(f"{name}: {grown / 2**20:.0f} MiB, {grown / size:.2f} times the answers")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
