"""StoredAnswers: a frozen teacher is asked once about each distinct input, and its answers reused.

One file per signal, a row per input with its position in the data set, kept in the cache: over
epochs, students, temperatures and the jobs of a sweep. Inputs asked about once are never asked
about again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from kdistill import ranks
from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import fingerprint, make_folder, write_json, write_tensors
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import in_order
from kdistill.errors import UserError
from kdistill.events import Listener, Progress, StageEnded, StageStarted, Warned, silent
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Answers, Signals

BATCH = 512  # inputs per question
RESIDENT_BYTES = 2 << 30  # larger arrays are looked up in the memory-mapped file
# of all answers of a teacher; larger ones are better asked for again and again. Logits of ImageNet
# are 5.1 GB, the input gradients of CIFAR-10 6.1 GB
STORED_BYTES = 6 * 10**9


def answers_folder(
    cache: Path | None, teacher: str | None, examples: Examples, precision: str
) -> Path | None:
    """Where a teacher's answers about such examples are kept; None where either has no name."""
    if not (cache and teacher and examples.origin):
        return None
    return cache / "answers" / fingerprint(teacher, examples.origin, precision)


def describe(folder: Path, description: str, seconds: float) -> None:
    """Say what answers are in `folder`, for `kdistill cache`."""
    created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    about = {"description": description, "seconds": seconds, "created": created}
    write_json(folder / "answers.json", about)


def stored_for(needs: frozenset[Signal]) -> frozenset[Signal]:
    """What is stored for `needs`."""
    return frozenset(need.kept_as() for need in needs)


def stored_bytes(answer: Signals, needs: frozenset[Signal], inputs: int) -> int:
    """Size of what is stored for `needs` about so many inputs, of which `answer` shows the shapes:
    it holds `stored_for(needs)` of any batch."""
    rows = [answer[kept][0] for kept in stored_for(needs)]
    return inputs * sum(row.numel() * row.element_size() for row in rows)


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
        self._rows: dict[Signal, Tensor] = {}  # [known, ...]
        self._place: dict[Signal, Tensor] = {}  # [positions] int64, the row of each; or -1
        self._listener: Listener = silent

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        """From the stored rows of the batch; KeyError for a signal that was not collected."""
        if batch.index is None:
            raise TypeError("inputs without an index have no stored answers")
        found: dict[Signal, Tensor] = {}
        for kept in stored_for(needs):
            rows, place = self._rows[kept], self._place[kept]
            found[kept] = rows[place[batch.index.to(rows.device)]].to(self.device)
        return Signals({need: need.restored(found[need.kept_as()], batch) for need in needs})

    def missing(self, examples: Examples, needs: frozenset[Signal]) -> int:
        """How many of `examples` lack a stored answer."""
        known = [torch.isin(examples.index, self._read(need)[0]) for need in stored_for(needs)]
        return int((~torch.stack(known).all(dim=0)).sum())

    def collect(
        self,
        examples: Examples,
        needs: frozenset[Signal],
        listener: Listener,
        description: str = "",
    ) -> None:
        """Ask about those of `examples` that no answer is stored for, and keep the answers.

        Several processes each ask about their part. Stored answers that are damaged are told as
        Warned, and asked for again.
        """
        started, self._listener = time.monotonic(), listener
        with self._locked():
            for need in sorted(stored_for(needs), key=lambda signal: signal.name):
                self._collect(examples, need)
            if self.folder and self.asked and ranks.first():
                describe(self.folder, description, time.monotonic() - started)
        note = f"{self.asked} inputs asked, {self.reused} answers reused"
        listener(StageEnded("signals", time.monotonic() - started, self.asked == 0, note))

    def _collect(self, examples: Examples, need: Signal) -> None:
        index, rows = self._read(need)
        missing = torch.nonzero(~torch.isin(examples.index, index)).flatten()
        self.asked = max(self.asked, len(missing))
        self.reused = len(examples) - self.asked
        if len(missing):
            new, values = self._asked(examples.take(missing[ranks.part(len(missing))]), need)
            rows = torch.cat([rows, values]) if len(index) else values
            index = torch.cat([index, new])
            if self.folder and ranks.first():
                write_tensors(self._file(need), {"index": index, "rows": rows})
        fits = rows.numel() * rows.element_size() <= RESIDENT_BYTES
        if self.folder and not fits:
            ranks.agree(None)  # written by now
            index, rows = self._read(need)  # as a memory-mapped file
        place = torch.full((int(examples.index.max()) + 1,), -1)  # as far as anybody asks
        known = (index < len(place)).nonzero()[:, 0]
        place[index[known]] = known
        self._rows[need] = rows.to(self.device) if fits else rows
        self._place[need] = place.to(self._rows[need].device)

    def _asked(self, examples: Examples, need: Signal) -> tuple[Tensor, Tensor]:
        """Index [n] and answers [n, ...] about `examples` and those of the other processes."""
        self._listener(StageStarted("signals", steps=len(examples)))
        found, done = [], 0
        for batch in in_order(examples, BATCH, self.device):
            value = self.teacher.answer(batch, frozenset({need}))[need].cpu()
            found.append((batch.index.cpu(), value))  # type: ignore[union-attr]
            done += len(batch)
            self._listener(Progress("signals", done))
        every = [pair for part in ranks.gathered(found) for pair in part]
        return torch.cat([index for index, _ in every]), torch.cat([value for _, value in every])

    def _read(self, need: Signal) -> tuple[Tensor, Tensor]:
        """Positions [known] int64 and their rows [known, ...] of floats; none when damaged."""
        nothing = torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        if self.folder is None or not self._file(need).is_file():
            return nothing
        try:
            return _paired(self._file(need))
        except (UserError, KeyError) as error:
            self._listener(Warned(f"stored answers are asked for again ({error})"))
            return nothing

    def _file(self, need: Signal) -> Path:
        assert self.folder is not None
        return self.folder / f"{need.name}.safetensors"

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


def _paired(file: Path) -> tuple[Tensor, Tensor]:
    """Positions and rows in `file`; UserError or KeyError for what does not belong together."""
    stored = read_tensors(file)
    index, rows = stored["index"], stored["rows"]
    fits = index.dtype == torch.int64 and index.shape == rows.shape[:1] != ()
    if not (fits and rows.is_floating_point() and (index >= 0).all()):
        raise UserError(f"{file}: damaged; it does not hold a row of floats for each position")
    return index, rows
