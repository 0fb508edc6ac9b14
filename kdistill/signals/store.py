"""StoredAnswers: a frozen teacher is asked once about each distinct input, and its answers reused.

A RowFile per signal, a row per input with its position in the data set, kept in the cache: over
epochs, students, temperatures and the jobs of a sweep. Inputs asked about once are never asked
about again, and answers are written as they come, so that an interrupted collection goes on.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from kdistill import ranks
from kdistill.artifacts.cache_lock import cache_lock
from kdistill.artifacts.files import fingerprint, write_json
from kdistill.artifacts.row_file import RowFile
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import in_order
from kdistill.errors import UserError
from kdistill.events import Listener, Progress, StageEnded, StageStarted, Warned, silent
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Answers, Signals

BATCH = 512  # inputs per question
Block = tuple[Tensor, Tensor]  # positions [k] int64, and a row for each [k, ...]
NOTHING: Block = (torch.zeros(0, dtype=torch.int64), torch.zeros(0))
RESIDENT_BYTES = 2 << 30  # larger arrays are not copied to the device, but looked up in the file
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
        self._files: dict[Signal, RowFile] = {}
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
        places = [_places(self._read(kept)[0], examples) for kept in stored_for(needs)]
        unknown = [place[examples.index] < 0 for place in places]
        return int(torch.stack(unknown).any(dim=0).sum())

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
        place = _places(index, examples)
        missing = (place[examples.index] < 0).nonzero()[:, 0]
        self.asked = max(self.asked, len(missing))
        self.reused = len(examples) - self.asked
        if len(missing):
            if self.folder and not len(index) and ranks.first():
                self._files[need].remove()  # of no use
            blocks = self._asked(examples, missing, need)
            index, rows = self._kept(need, blocks, len(missing))
            place = _places(index, examples)
        fits = rows.numel() * rows.element_size() <= RESIDENT_BYTES
        self._rows[need] = rows.to(self.device) if fits else rows
        self._place[need] = place.to(self._rows[need].device)

    def _kept(self, need: Signal, blocks: Iterator[Block], count: int) -> Block:
        """What the store holds once `blocks` of `count` rows are added: mapped, with a folder."""
        if not self.folder:
            return _gathered(blocks, count)
        file = self._files[need]
        if ranks.first():
            with file.appending() as append:
                for index, rows in blocks:
                    append(index, rows)
        else:
            deque(blocks, maxlen=0)  # the first process writes them
        ranks.agree(None)
        return file.read(verified=False)

    def _asked(self, examples: Examples, missing: Tensor, need: Signal) -> Iterator[Block]:
        """Index [k] and answers [k, ...] about the `missing` rows, block by block: this process
        asks about its part, and hears what the others were answered."""
        self._listener(StageStarted("signals", steps=len(missing)))
        batches, done = self._batches(examples, missing[ranks.part(len(missing))]), 0
        largest = -(-len(missing) // ranks.world())  # of the parts
        for _ in range(0, largest, BATCH):
            found, batch = None, next(batches, None)
            if batch is not None and batch.index is not None:
                value = self.teacher.answer(batch, frozenset({need}))[need]
                found = batch.index.cpu(), value.detach().cpu()
            for block in ranks.gathered(found):
                if block is not None:
                    done += len(block[0])
                    yield block
            self._listener(Progress("signals", done))

    def _batches(self, examples: Examples, chosen: Tensor) -> Iterator[Batch]:
        """The examples at `chosen`; resident ones are copied a batch at a time."""
        if len(chosen) == len(examples):
            yield from in_order(examples, BATCH, self.device)
            return
        resident = isinstance(examples.inputs, (Tensor, Mapping))
        for part in torch.split(chosen, BATCH) if resident else (chosen,):
            yield from in_order(examples.take(part), BATCH, self.device)

    def _read(self, need: Signal) -> Block:
        """Positions [known] int64 and their rows [known, ...] of floats; none when damaged."""
        if self.folder is None:
            return NOTHING
        file = self._files[need] = RowFile(self.folder, need.file)
        try:
            return file.read()
        except UserError as error:
            self._listener(Warned(f"stored answers are asked for again ({error})"))
            return NOTHING

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in the folder among other runs; the first process locks for all of this one."""
        if self.folder is None:
            yield
            return
        lock = cache_lock(self.folder)
        if ranks.first():
            lock.acquire()
        try:
            ranks.agree(None)
            yield
            ranks.agree(None)
        finally:
            lock.release()


def _places(index: Tensor, examples: Examples) -> Tensor:
    """[positions, as far as that of any example] int64: where each is in `index`, or -1."""
    last = int(examples.index.max()) if len(examples) else -1
    place = torch.full((last + 1,), -1)
    known = (index < len(place)).nonzero()[:, 0]
    place[index[known]] = known
    return place


def _gathered(blocks: Iterator[Block], count: int) -> Block:
    """The `count` rows of all blocks, in memory; no more than a block is there twice."""
    index, rows, start = torch.empty(count, dtype=torch.int64), torch.empty(0), 0
    for positions, values in blocks:
        if start == 0:
            rows = values.new_empty(count, *values.shape[1:])
        end = start + len(positions)
        index[start:end], rows[start:end], start = positions, values, end
    return index, rows
