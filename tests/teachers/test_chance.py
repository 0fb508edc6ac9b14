"""at_chance(): which teachers a student should not be trained on."""

import pytest
import torch
from torch import nn

from kdistill.data.batch import Examples
from kdistill.engine.process import Process
from kdistill.teachers.chance import at_chance


class Says(nn.Module):
    """Answers with the class that the first number of the input names."""

    def forward(self, inputs):
        return nn.functional.one_hot(inputs[:, 0].long(), 4).float()


def warned(answers, labels):
    examples = Examples(
        torch.tensor(answers)[:, None].float(), torch.tensor(labels), torch.arange(len(labels))
    )
    return at_chance(Says(), examples, Process("cpu").start())


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


def test_without_labelled_validation_nobody_can_tell():
    nothing = Examples(torch.zeros(0, 1), None, torch.arange(0))
    assert at_chance(Says(), nothing, Process("cpu").start()) is None
    unlabelled = Examples(torch.zeros(5, 1), None, torch.arange(5))
    assert at_chance(Says(), unlabelled, Process("cpu").start()) is None
