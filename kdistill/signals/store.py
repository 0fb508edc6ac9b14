"""StoredAnswers: a frozen teacher is asked once about each distinct input, and its answers reused.

One array per signal, a row per position in the data set, kept as .npy in the cache: over epochs,
students, temperatures and the jobs of a sweep. Inputs already asked about are never asked again.
"""

import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from kdistill.artifacts.files import fingerprint, replacing, write_json
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import in_order
from kdistill.events import Listener, Progress, StageEnded, StageStarted
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

    def answer(self, batch: Batch, needs: frozenset[str]) -> Signals:
        """The stored rows of the batch; KeyError for a signal that was not collected."""
        if batch.index is None:
            raise TypeError("inputs without an index have no stored answers")
        found = {}
        for need in needs:
            rows = self._rows[need]
            found[need] = rows[batch.index.to(rows.device)].to(self.device)
        return Signals(**found)

    def missing(self, examples: Examples, need: str) -> Tensor:
        """The rows [m] of `examples` that no answer is stored for."""
        _, known = self._read(need, int(examples.index.max()) + 1)
        return torch.nonzero(~known[examples.index]).flatten()

    def collect(
        self, examples: Examples, needs: frozenset[str], listener: Listener, description: str = ""
    ) -> None:
        """Ask about those of `examples` that no answer is stored for, and keep the answers."""
        started = time.monotonic()
        with self._lock():
            for need in sorted(needs):
                self._collect(examples, need, listener)
            if self.folder and self.asked:
                about = {"description": description, "seconds": time.monotonic() - started}
                created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
                write_json(self.folder / "answers.json", {**about, "created": created})
        note = f"{self.asked} inputs asked, {self.reused} answers reused"
        listener(StageEnded("signals", time.monotonic() - started, self.asked == 0, note))

    def _collect(self, examples: Examples, need: str, listener: Listener) -> None:
        missing = self.missing(examples, need)
        self.asked += len(missing)
        self.reused += len(examples) - len(missing)
        if len(missing):
            listener(StageStarted("signals", steps=len(missing)))
            stored, known = self._asked(examples.take(missing), need, listener)
            if self.folder is None:
                self._rows[need] = stored.to(self.device)
                return
            for name, value in ((f"{need}.npy", stored), (f"{need}.known.npy", known)):
                with replacing(self.folder / name) as sibling, sibling.open("wb") as file:
                    np.save(file, value.numpy())
        kept, _ = self._read(need, int(examples.index.max()) + 1)
        fits = kept.numel() * kept.element_size() <= RESIDENT_BYTES
        self._rows[need] = kept.to(self.device) if fits else kept

    def _asked(self, examples: Examples, need: str, listener: Listener) -> tuple[Tensor, Tensor]:
        """What is stored with the answers about `examples` added, and which positions are known."""
        stored, known = self._read(need, int(examples.index.max()) + 1)
        done = 0
        for batch in in_order(examples, BATCH, self.device):
            value = getattr(self.teacher.answer(batch, frozenset({need})), need).cpu()
            if len(stored) < len(known):
                grown = torch.zeros(len(known), *value.shape[1:], dtype=value.dtype)
                if len(stored):
                    grown[: len(stored)] = stored
                stored = grown
            index = batch.index.cpu()  # type: ignore[union-attr]
            stored[index], known[index] = value, True
            done += len(batch)
            listener(Progress("signals", done))
        return stored, known

    def _read(self, need: str, positions: int) -> tuple[Tensor, Tensor]:
        """Stored rows (memory-mapped), and which of `positions` are known; none when damaged."""
        nothing = torch.zeros(0), torch.zeros(positions, dtype=torch.bool)
        if self.folder is None:
            return nothing
        try:
            flags = np.load(self.folder / f"{need}.known.npy", allow_pickle=False)
            rows = np.load(self.folder / f"{need}.npy", mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return nothing
        if len(rows) < len(flags):
            return nothing
        known = torch.zeros(max(positions, len(flags)), dtype=torch.bool)
        known[: len(flags)] = torch.from_numpy(flags)
        return torch.from_numpy(rows), known

    def _lock(self) -> FileLock | nullcontext[None]:
        if self.folder is None:
            return nullcontext()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self.folder}.lock")
