"""StoredAnswers: a frozen teacher is asked once about each distinct input, and its answers reused.

One file per signal, a row per position in the data set, kept in the cache: over epochs, students,
temperatures and the jobs of a sweep. Inputs already asked about are never asked again.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from kdistill import ranks
from kdistill.artifacts.files import (
    fingerprint,
    make_folder,
    read_tensors,
    write_json,
    write_tensors,
)
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import in_order
from kdistill.errors import UserError
from kdistill.events import Listener, Progress, StageEnded, StageStarted, Warned, silent
from kdistill.signals.derivatives import projected
from kdistill.signals.signals import Answers, Signals

BATCH = 512  # inputs per question
RESIDENT_BYTES = 2 << 30  # larger arrays are looked up in the memory-mapped file


def answers_folder(
    cache: Path | None, teacher: str | None, examples: Examples, precision: str
) -> Path | None:
    """Where a teacher's answers about such examples are kept; None where either has no name."""
    if not (cache and teacher and examples.origin):
        return None
    return cache / "answers" / fingerprint(teacher, examples.origin, precision)


def stored_for(needs: frozenset[str]) -> frozenset[str]:
    """What is stored for `needs`: directions are new each epoch, whole gradients serve them all."""
    return frozenset("input_gradients" if need == "slopes" else need for need in needs)


def stored_bytes(
    needs: frozenset[str], inputs: int, classes: int, input_shape: Sequence[int]
) -> int:
    """Size of the stored answers about so many inputs, in float32."""
    numbers = {"logits": classes, "input_gradients": classes * prod(input_shape)}
    return 4 * inputs * sum(numbers[need] for need in stored_for(needs))


class StoredAnswers:
    """Answers by `batch.index`. folder None keeps them in memory for this run only.

    `asked` and `reused` count inputs after `collect`.
    """

    def __init__(self, teacher: Answers, folder: Path | None, device: torch.device) -> None:
        self.teacher = teacher
        self.folder = folder
        self.device = device
        self.asked = 0
        self.reused = 0
        self._rows: dict[str, Tensor] = {}  # signal -> [positions, ...]
        self._listener: Listener = silent

    def answer(self, batch: Batch, needs: frozenset[str]) -> Signals:
        """The stored rows of the batch; KeyError for a signal that was not collected."""
        if batch.index is None:
            raise TypeError("inputs without an index have no stored answers")
        found = {}
        for need in stored_for(needs):
            rows = self._rows[need]
            found[need] = rows[batch.index.to(rows.device)].to(self.device)
        if "slopes" in needs:
            assert batch.key is not None
            found["slopes"] = projected(found.pop("input_gradients"), batch.key)
        return Signals(**found)

    def missing(self, examples: Examples, needs: frozenset[str]) -> int:
        """How many of `examples` lack a stored answer."""
        positions = int(examples.index.max()) + 1
        known = [self._read(need, positions)[1][examples.index] for need in stored_for(needs)]
        return int((~torch.stack(known).all(dim=0)).sum())

    def collect(
        self, examples: Examples, needs: frozenset[str], listener: Listener, description: str = ""
    ) -> None:
        """Ask about those of `examples` that no answer is stored for, and keep the answers.

        Several processes each ask about their part. Stored answers that are damaged are told as
        Warned, and asked for again.
        """
        started, self._listener = time.monotonic(), listener
        with self._locked():
            for need in sorted(stored_for(needs)):
                self._collect(examples, need)
            if self.folder and self.asked and ranks.first():
                about = {"description": description, "seconds": time.monotonic() - started}
                created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
                write_json(self.folder / "answers.json", {**about, "created": created})
        note = f"{self.asked} inputs asked, {self.reused} answers reused"
        listener(StageEnded("signals", time.monotonic() - started, self.asked == 0, note))

    def _collect(self, examples: Examples, need: str) -> None:
        rows, known = self._read(need, int(examples.index.max()) + 1)
        missing = torch.nonzero(~known[examples.index]).flatten()
        self.asked = max(self.asked, len(missing))
        self.reused = len(examples) - self.asked
        if len(missing):
            index, values = self._asked(examples.take(missing[ranks.part(len(missing))]), need)
            grown = torch.zeros(len(known), *values.shape[1:], dtype=values.dtype)
            if len(rows):
                grown[: len(rows)] = rows
            grown[index], known[index] = values, True
            rows = grown
            if self.folder and ranks.first():
                write_tensors(self._file(need), {"rows": rows, "known": known})
        fits = rows.numel() * rows.element_size() <= RESIDENT_BYTES
        if self.folder and not fits:
            ranks.agree(None)  # written by now
            rows, _ = self._read(need, len(known))  # as a memory-mapped file
        self._rows[need] = rows.to(self.device) if fits else rows

    def _asked(self, examples: Examples, need: str) -> tuple[Tensor, Tensor]:
        """Index [n] and answers [n, ...] about `examples` and those of the other processes."""
        self._listener(StageStarted("signals", steps=len(examples)))
        found, done = [], 0
        for batch in in_order(examples, BATCH, self.device):
            value = getattr(self.teacher.answer(batch, frozenset({need})), need).cpu()
            found.append((batch.index.cpu(), value))  # type: ignore[union-attr]
            done += len(batch)
            self._listener(Progress("signals", done))
        every = [pair for part in ranks.gathered(found) for pair in part]
        return torch.cat([index for index, _ in every]), torch.cat([value for _, value in every])

    def _read(self, need: str, positions: int) -> tuple[Tensor, Tensor]:
        """Stored rows, and which of `positions` (or more) are known; none when damaged."""
        nothing = torch.zeros(0), torch.zeros(positions, dtype=torch.bool)
        if self.folder is None or not self._file(need).is_file():
            return nothing
        try:
            stored = read_tensors(self._file(need))
            rows, flags = stored["rows"], stored["known"]
        except (UserError, KeyError) as error:
            self._listener(Warned(f"stored answers are asked for again ({error})"))
            return nothing
        known = torch.zeros(max(positions, len(flags)), dtype=torch.bool)
        known[: len(flags)] = flags
        return rows, known

    def _file(self, need: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{need}.safetensors"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in the folder among other runs; the first process locks for all of this one."""
        if self.folder is None:
            yield
            return
        make_folder(self.folder)
        lock = FileLock(f"{self.folder}.lock")
        if ranks.first():
            lock.acquire()
        try:
            ranks.agree(None)
            yield
            ranks.agree(None)
        finally:
            lock.release()
