"""Stored answers: asked once per input, found by position whatever the order, kept between runs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import make_folder, write_tensors
from kdistill.artifacts.row_file import RowFile
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import EpochStream, in_order
from kdistill.events import StageEnded, Warned, silent
from kdistill.signals import store
from kdistill.signals.ask import ask
from kdistill.signals.input_gradients import INPUT_GRADIENTS, SLOPES
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import STORED_BYTES, StoredAnswers, answers_folder, stored_bytes

CPU = torch.device("cpu")
LOGITS = frozenset({ANSWER})


class Counting:
    """Answers with a fixed linear map, and counts the inputs it was asked about."""

    def __init__(self) -> None:
        self.asked = 0
        self.weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        self.asked += len(batch)
        return Signals({ANSWER: batch.inputs @ self.weight})


@pytest.fixture
def examples() -> Examples:
    """60 of the 100 inputs of a file, in an order of their own."""
    generator = torch.Generator().manual_seed(1)
    index = torch.randperm(100, generator=generator)[:60]
    return Examples(torch.randn(60, 4, generator=generator), torch.arange(60) % 3, index)


def stored(teacher: Counting, folder: Path | None, examples: Examples) -> StoredAnswers:
    answers = StoredAnswers(teacher, folder, CPU)
    answers.collect(examples, LOGITS, silent)
    return answers


def test_shuffling_never_misaligns_answers(tmp_path: Path, examples: Examples) -> None:
    teacher = Counting()
    answers = stored(teacher, tmp_path / "answers", examples)
    for batch in (next(stream) for stream in [EpochStream(examples, 7, 0, CPU)] for _ in range(20)):
        said = answers.answer(batch, LOGITS)[ANSWER]
        torch.testing.assert_close(said, batch.inputs @ teacher.weight)


def test_stored_equals_live_bit_for_bit_at_equal_batch_shape(
    monkeypatch: pytest.MonkeyPatch, examples: Examples
) -> None:
    monkeypatch.setattr(store, "BATCH", 12)
    teacher = Counting()
    answers = stored(teacher, None, examples)
    for batch in in_order(examples, 12, CPU):
        live = teacher.answer(batch, LOGITS)[ANSWER]
        assert torch.equal(answers.answer(batch, LOGITS)[ANSWER], live)


def test_each_input_is_asked_about_once_ever(tmp_path: Path, examples: Examples) -> None:
    teacher, folder = Counting(), tmp_path / "answers"
    part = examples.take(torch.arange(0, 60, 2))
    assert stored(teacher, folder, part).asked == 30
    whole = stored(teacher, folder, examples)
    assert (whole.asked, whole.reused, teacher.asked) == (30, 30, 60)
    again = stored(teacher, folder, part)
    assert (again.asked, again.reused, teacher.asked) == (0, 30, 60)
    for answers in (whole, again):
        said = answers.answer(Batch(part.inputs, index=part.index), LOGITS)[ANSWER]
        torch.testing.assert_close(said, part.inputs @ teacher.weight)


def test_a_few_inputs_of_a_large_file_take_a_few_rows(tmp_path: Path) -> None:
    last = Examples(torch.randn(3, 4), None, torch.tensor([59_999, 7, 30_000]))
    teacher, folder = Counting(), tmp_path / "answers"
    answers = stored(teacher, folder, last)
    assert (folder / "answer.rows").stat().st_size == 3 * 3 * 4
    assert torch.equal(
        answers.answer(Batch(last.inputs, index=last.index), LOGITS)[ANSWER],
        last.inputs @ teacher.weight,
    )
    assert stored_bytes(Signals({ANSWER: torch.zeros(2, 3)}), LOGITS, 3) == 3 * 3 * 4


class Network:
    """Answers whatever is asked."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = torch.nn.Sequential(
            torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
        )

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        with torch.no_grad():
            return ask(self.module, batch, needs)


@pytest.mark.parametrize(
    "needs",
    [{SLOPES}, {ANSWER, SLOPES}, {ANSWER, SLOPES, INPUT_GRADIENTS}],
    ids=lambda needs: "+".join(sorted(need.name for need in needs)),
)
def test_slopes_come_from_stored_gradients_as_the_teacher_would_answer_them(
    needs: set[Signal], tmp_path: Path, examples: Examples
) -> None:
    asked, teacher = frozenset(needs), Network()
    answers = StoredAnswers(teacher, tmp_path / "answers", CPU)
    answers.collect(examples, asked, silent)
    assert (answers.asked, answers.reused) == (60, 0)
    stream = EpochStream(examples, 20, 0, CPU)
    for _ in range(6):  # two epochs: other directions, the same gradients
        batch = next(stream)
        said, live = answers.answer(batch, asked), teacher.answer(batch, asked)
        assert set(said) == needs
        for need in needs:
            torch.testing.assert_close(said[need], live[need])
    again = StoredAnswers(teacher, tmp_path / "answers", CPU)
    assert again.missing(examples, asked) == 0


def test_answers_of_any_kind_that_would_fill_the_disk_are_asked_for_live() -> None:
    for needs, inputs, shape, classes, live in (
        ({ANSWER, SLOPES}, 50_000, (3, 32, 32), 10, True),
        ({ANSWER, INPUT_GRADIENTS}, 60_000, (1, 28, 28), 10, False),
        ({ANSWER}, 1_281_167, (3, 1, 1), 1000, False),
        ({ANSWER}, 10**9, (3, 1, 1), 1000, True),
    ):
        rows = {
            ANSWER: torch.zeros(1, classes),
            INPUT_GRADIENTS: torch.zeros(1, classes, *shape),
        }
        assert (stored_bytes(Signals(rows), frozenset(needs), inputs) > STORED_BYTES) == live


def test_without_a_folder_nothing_is_kept(tmp_path: Path, examples: Examples) -> None:
    teacher = Counting()
    stored(teacher, None, examples)
    stored(teacher, None, examples)
    assert teacher.asked == 120


def test_a_large_array_stays_a_memory_mapped_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, examples: Examples
) -> None:
    monkeypatch.setattr(store, "RESIDENT_BYTES", 16)
    teacher = Counting()
    stored(teacher, tmp_path / "answers", examples)
    answers = stored(teacher, tmp_path / "answers", examples)
    said = answers.answer(Batch(examples.inputs, index=examples.index), LOGITS)[ANSWER]
    torch.testing.assert_close(said, examples.inputs @ teacher.weight)


def test_says_what_was_asked_and_what_reused(tmp_path: Path, examples: Examples) -> None:
    told: list[object] = []
    stored(Counting(), tmp_path / "answers", examples)
    StoredAnswers(Counting(), tmp_path / "answers", CPU).collect(examples, LOGITS, told.append)
    (ended,) = (event for event in told if isinstance(event, StageEnded))
    assert ended.reused
    assert ended.note == "0 inputs asked, 60 answers reused"


def test_answers_are_kept_apart_by_what_was_asked(tmp_path: Path, examples: Examples) -> None:
    named = replace(examples, origin="a")
    assert answers_folder(tmp_path, "teacher", examples, "fp32") is None
    folders = {
        answers_folder(tmp_path, "teacher", named, "fp32"),
        answers_folder(tmp_path, "teacher", replace(examples, origin="b"), "fp32"),
        answers_folder(tmp_path, "teacher", named, "bf16"),
        answers_folder(tmp_path, "another", named, "fp32"),
    }
    assert len(folders) == 4
    assert answers_folder(tmp_path, "teacher", named.take(torch.arange(3)), "fp32") in folders


@pytest.mark.parametrize(
    "strange",
    [
        {"index": torch.arange(59)},
        {"index": torch.arange(60) - 1},
        {"index": torch.arange(60.0)},
        {"index": torch.tensor(0)},
        {"counts": torch.tensor([61])},
        {"counts": torch.tensor([-1, 61])},
        {"sums": torch.zeros(2, 32, dtype=torch.uint8)},
        {"like": torch.zeros(0, 4)},
        {"like": torch.zeros(0, 2**40)},
        {"like": torch.zeros(0, 0)},
        {"like": torch.zeros(0, 3, dtype=torch.int32)},
        {"more": torch.zeros(1)},
    ],
)
def test_answers_that_are_none_are_asked_again(
    strange: dict[str, torch.Tensor], tmp_path: Path, examples: Examples
) -> None:
    stored(Counting(), tmp_path / "answers", examples)
    file = tmp_path / "answers" / "answer.safetensors"
    write_tensors(file, {**read_tensors(file), **strange})
    again, told = StoredAnswers(Counting(), tmp_path / "answers", CPU), []
    again.collect(examples, LOGITS, told.append)
    assert again.asked == 60
    assert any(isinstance(event, Warned) for event in told)


def test_what_an_interrupted_collection_was_answered_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, examples: Examples
) -> None:
    monkeypatch.setattr(store, "BATCH", 7)

    class Interrupted(Counting):
        def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
            if self.asked >= 21:
                raise KeyboardInterrupt
            return super().answer(batch, needs)

    with pytest.raises(KeyboardInterrupt):
        stored(Interrupted(), tmp_path / "answers", examples)
    rows = tmp_path / "answers" / "answer.rows"
    rows.write_bytes(rows.read_bytes() + b"a block cut short")
    teacher = Counting()
    answers = stored(teacher, tmp_path / "answers", examples)
    assert (answers.asked, answers.reused, teacher.asked) == (39, 21, 39)
    said = answers.answer(Batch(examples.inputs, index=examples.index), LOGITS)
    torch.testing.assert_close(said[ANSWER], examples.inputs @ teacher.weight)
    assert stored(Counting(), tmp_path / "answers", examples).reused == 60


def test_a_store_that_grows_leaves_what_others_read_from_it_in_place(
    tmp_path: Path, examples: Examples
) -> None:
    folder = tmp_path / "answers"
    part = examples.take(torch.arange(30))
    first = stored(Counting(), folder, part)
    rows = folder / "answer.rows"
    before = rows.read_bytes()
    stored(Counting(), folder, examples)
    assert rows.read_bytes()[: len(before)] == before
    said = first.answer(Batch(part.inputs, index=part.index), LOGITS)
    torch.testing.assert_close(said[ANSWER], part.inputs @ Counting().weight)


def test_a_position_far_beyond_the_inputs_takes_no_memory(
    tmp_path: Path, examples: Examples
) -> None:
    folder = make_folder(tmp_path / "answers")
    index = torch.cat([torch.arange(100), torch.tensor([2**62])])
    with RowFile(folder, "answer").appending() as append:
        append(index, torch.arange(101.0).repeat(3, 1).T)
    answers = stored(Counting(), folder, examples)
    assert answers.reused == 60
    said = answers.answer(Batch(examples.inputs[5:6], index=torch.tensor([5])), LOGITS)
    assert said[ANSWER].tolist() == [[5.0, 5.0, 5.0]]


@pytest.mark.parametrize("file", ["answer.rows", "answer.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_answers_are_asked_again(
    tmp_path: Path, examples: Examples, damage: str, file: str
) -> None:
    stored(Counting(), tmp_path / "answers", examples)
    path = tmp_path / "answers" / file
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 1  # a bit of one answer, or of what says which are known
    path.write_bytes(whole[:-9] if damage == "cut" else whole)
    again, told = StoredAnswers(Counting(), tmp_path / "answers", CPU), []
    again.collect(examples, LOGITS, told.append)
    assert (again.asked, again.reused) == (60, 0)
    (warned,) = (event for event in told if isinstance(event, Warned))
    assert str(path) in warned.message
    assert stored(Counting(), tmp_path / "answers", examples).reused == 60
