"""Task.doubts: which teachers a student should not be trained on."""

import pytest
import torch
from torch import nn

from kdistill.data.batch import Examples
from kdistill.tasks.classification import Classification


def warned(answers, labels):
    logits = nn.functional.one_hot(torch.tensor(answers), 4).float()
    rows = torch.arange(len(labels))
    return Classification().doubts(logits, Examples(logits, torch.tensor(labels), rows))


BALANCED = [0, 1, 2, 3] * 25


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        (BALANCED, BALANCED),
        ([0, 1, 0, 0] * 25, BALANCED),  # 50 % where chance is 25 %
        ([0, 1, 0, 1], [0, 1, 0, 1]),  # few, and all right
    ],
)
def test_a_teacher_that_knows_something_passes(answers, labels):
    assert warned(answers, labels) is None


@pytest.mark.parametrize(
    ("answers", "labels", "said"),
    [
        (
            [0] * 100,
            BALANCED,
            "right on 25 of 100 validation examples (25.0%), no better than chan",
        ),
        (
            [0] * 100,
            [0] * 95 + [1] * 5,
            "(95.0%), no better than chance (95.0% by naming one class)",
        ),
        ([3] * 28 + [0] * 72, [3] * 28 + [1, 2] * 36, "right on 28 of 100"),  # 28 % of 36 %
        ([1, 2, 3, 0] * 25, BALANCED, "right on 0 of 100"),
    ],
)
def test_a_teacher_that_knows_nothing_is_told(answers, labels, said):
    told = warned(answers, labels)
    assert said in told
    assert "\n" not in told
