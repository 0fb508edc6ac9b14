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
RESIDENT_BYTES = 2 << 30  # larger arrays stay memory-mapped files


def answers_folder(
    cache: Path | None, teacher: str | None, data: str | None, precision: str
) -> Path | None:
    """Where a teacher's answers about a data set are kept; None where either has no name."""
    if not (cache and teacher and data):
        return None
    return cache / "answers" / fingerprint(teacher, data, precision)


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
        assert batch.index is not None
        stored = {need: self._rows[need] for need in needs}
        return Signals(
            **{
                need: rows[batch.index.to(rows.device)].to(self.device)
                for need, rows in stored.items()
            }
        )

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
        stored, known = self._read(need, int(examples.index.max()) + 1)
        missing = torch.nonzero(~known[examples.index]).flatten()
        self.asked += len(missing)
        self.reused += len(examples) - len(missing)
        if len(missing):
            listener(StageStarted("signals", steps=len(missing)))
            done = 0
            for batch in in_order(examples.take(missing), BATCH, self.device):
                value = getattr(self.teacher.answer(batch, frozenset({need})), need).cpu()
                if (
                    stored is None
                    or len(stored) < len(known)
                    or stored.shape[1:] != value.shape[1:]
                ):
                    grown = torch.zeros(len(known), *value.shape[1:], dtype=value.dtype)
                    if stored is not None:
                        grown[: len(stored)] = stored
                    stored = grown
                assert batch.index is not None
                index = batch.index.cpu()
                stored[index], known[index] = value, True
                done += len(batch)
                listener(Progress("signals", done))
            self._write(need, stored, known)
        assert stored is not None
        fits = stored.numel() * stored.element_size() <= RESIDENT_BYTES
        self._rows[need] = stored.to(self.device) if fits else stored

    def _read(self, need: str, positions: int) -> tuple[Tensor | None, Tensor]:
        """What is stored of a signal (memory-mapped) and which positions are known."""
        known = torch.zeros(positions, dtype=torch.bool)
        if self.folder is None or not (self.folder / f"{need}.known.npy").is_file():
            return None, known
        before = torch.from_numpy(np.load(self.folder / f"{need}.known.npy", allow_pickle=False))
        if len(before) >= positions:
            known = before
        else:
            known[: len(before)] = before
        rows = np.load(self.folder / f"{need}.npy", mmap_mode="c", allow_pickle=False)
        return torch.from_numpy(rows), known

    def _write(self, need: str, stored: Tensor | None, known: Tensor) -> None:
        if self.folder is None or stored is None:
            return
        for name, value in ((f"{need}.npy", stored), (f"{need}.known.npy", known)):
            with replacing(self.folder / name) as sibling, sibling.open("wb") as file:
                np.save(file, value.numpy())

    def _lock(self) -> FileLock | nullcontext[None]:
        if self.folder is None:
            return nullcontext()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self.folder}.lock")
