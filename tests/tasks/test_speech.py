"""Speech: frames as Classification has them; recordings, where the answers are known."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdistill.data.batch import Dataset, Examples
from kdistill.data.spec import Array, one_of
from kdistill.data.spoken_digit_frames import CLASSES, states
from kdistill.errors import UserError
from kdistill.measures.intervals import wilson
from kdistill.tasks.classification import Classification
from kdistill.tasks.speech import Speech


def examples(digits: list[int], frames: list[int]) -> Examples:
    """Recordings of those digits and lengths, one after the other."""
    labels = torch.cat([3 * d + states(n) for d, n in zip(digits, frames, strict=True)])
    group = torch.arange(len(digits)).repeat_interleave(torch.tensor(frames))
    return Examples(torch.zeros(len(labels), 1), labels, torch.arange(len(labels)), group=group)


def dataset(part: Examples) -> Dataset:
    return Dataset(
        "tiny",
        "memory",
        "f",
        Array((1,)),
        one_of(CLASSES),
        CLASSES,
        part,
        part.take(torch.arange(0)),
        part,
    )


TEN = examples(list(range(10)), [5, 9, 3, 4, 40, 7, 6, 21, 3, 8])


def bound(part: Examples = TEN) -> Speech:
    measure = Speech()
    measure.bind(dataset(part), taught=True)
    return measure


def truth(labels: Tensor, sure: float = 0.9) -> Tensor:
    """Logits whose posteriors are the truth, or nearly."""
    probability = torch.full((len(labels), 30), (1 - sure) / 29)
    return probability.scatter(1, labels[:, None], sure).log()


def test_the_truth_is_recognised() -> None:
    assert TEN.targets is not None
    found = bound().figures(truth(TEN.targets), TEN.targets, None, TEN.group)["recordings_wrong"]
    assert (found.value, found.n, found.unit, found.better) == (0, 10, "count", "lower")
    low, high = wilson(0, 10)
    assert found.interval == (10 * low, 10 * high)


def test_mistaken_recordings_are_counted_and_mistaken_frames_outvoted() -> None:
    assert TEN.targets is not None
    answers = TEN.targets.clone()
    answers[TEN.group == 4] = (answers[TEN.group == 4] + 3) % 30  # four is heard as five
    answers[(TEN.group == 7).nonzero()[10]] = 0  # one frame of 21
    measure = bound()
    heard, spoken = measure.recognised(truth(answers), TEN.targets, TEN.group)
    assert spoken.tolist() == list(range(10))
    assert heard.tolist() == [0, 1, 2, 3, 5, 5, 6, 7, 8, 9]
    assert (
        measure.figures(truth(answers), TEN.targets, None, TEN.group)["recordings_wrong"].value == 1
    )


def test_states_in_the_wrong_order_are_no_word() -> None:
    """The frames of a one, end first: each frame is right about the word, no path goes through."""
    one = examples([1], [9])
    assert one.targets is not None
    backwards = truth(one.targets.flip(0), sure=0.999)
    rival = torch.full((9, 30), -20.0)
    rival[:, 6:9] = 2.0  # something of a two throughout, in no order
    heard, _ = bound().recognised(torch.maximum(backwards, rival), one.targets, one.group)
    assert heard.tolist() == [2]


def test_the_prior_of_a_state_is_divided_out() -> None:
    often = examples([0, 0, 0, 0, 1], [9] * 5)  # zeros are four times as frequent
    one = examples([1], [3])
    assert one.targets is not None
    logits = torch.full((3, 30), -30.0)
    logits[:, :3], logits[:, 3:6] = 0.5, 0.0  # rather a zero, but by less than the prior
    assert bound(often).recognised(logits, one.targets, one.group)[0].tolist() == [1]
    assert bound(TEN).recognised(logits, one.targets, one.group)[0].tolist() == [0]


def test_too_few_frames_are_wrong() -> None:
    short = examples([0, 0], [2, 3])
    assert short.targets is not None
    found = bound().figures(truth(short.targets), short.targets, None, short.group)
    assert found["recordings_wrong"].value == 1


def test_the_order_of_recordings_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    assert TEN.targets is not None
    logits = torch.randn(len(TEN), 30, generator=generator)
    rows = torch.cat([(TEN.group == one).nonzero().flatten() for one in (5, 0, 9, 1, 8, 2, 7)])
    some = TEN.take(rows)
    measure = bound()
    assert some.targets is not None
    heard, spoken = measure.recognised(logits[rows], some.targets, some.group)
    everything, _ = measure.recognised(logits, TEN.targets, TEN.group)
    assert spoken.tolist() == [0, 1, 2, 5, 7, 8, 9]
    assert torch.equal(heard, everything[spoken])


def test_of_frames_it_measures_what_classification_does() -> None:
    logits = torch.randn(len(TEN), 30, generator=torch.Generator().manual_seed(1))
    found = bound().figures(logits, TEN.targets, 2 * logits, TEN.group)
    found.pop("recordings_wrong")
    assert found == Classification().figures(logits, TEN.targets, 2 * logits)
    assert bound().figures(logits, TEN.targets) == Classification().figures(logits, TEN.targets)


def test_data_that_are_no_frames_of_words_are_refused() -> None:
    whole = dataset(TEN)
    for other in (
        replace(whole, test=replace(TEN, group=None)),
        replace(whole, train=replace(TEN, targets=None)),
        replace(whole, classes=CLASSES[:29]),
    ):
        with pytest.raises(UserError, match="use task=classification, or dataset=spoken_digit"):
            Speech().bind(other, taught=True)
    Classification().bind(replace(whole, test=replace(TEN, group=None)), taught=True)


def test_values_out_of_range_are_refused() -> None:
    assert Speech("recordings_wrong").main == "recordings_wrong"
    with pytest.raises(ValueError, match="main must be one of errors, .*, recordings_wrong, got w"):
        Speech("words")
    with pytest.raises(ValueError, match="states must be >= 1, got 0"):
        Speech(states=0)
    with pytest.raises(
        ValueError, match="main must be one of errors, accuracy, nll, brier, ece, g"
    ):
        Classification("recordings_wrong")
