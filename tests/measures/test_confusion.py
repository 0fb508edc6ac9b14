"""Confusion, by hand."""

import torch

from kdistill.measures.confusion import confused_pairs, confusion, mistakes


def test_rows_are_classes_and_columns_are_answers() -> None:
    answers = torch.eye(3)[[0, 0, 1, 2, 2, 2]]
    labels = torch.tensor([0, 1, 1, 1, 2, 1])
    assert confusion(answers, labels).tolist() == [[1, 0, 0], [1, 1, 2], [0, 0, 1]]


def test_pairs_are_the_mistakes_alone_the_most_frequent_first() -> None:
    matrix = torch.tensor([[90, 1, 0], [4, 80, 2], [0, 3, 70]])
    cells = torch.arange(9).repeat_interleave(matrix.flatten())
    found = mistakes(torch.eye(3)[cells % 3], cells // 3)
    assert confused_pairs(found) == [(1, 0, 4), (2, 1, 3), (1, 2, 2), (0, 1, 1)]
    assert found[0, 0] == 0


def test_a_hundred_thousand_classes_take_no_more_room_than_their_mistakes() -> None:
    answers = torch.zeros(2, 100_000)
    assert mistakes(answers, torch.tensor([99_999, 0])) == {(99_999, 0): 1}
