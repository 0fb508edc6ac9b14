"""Confusion matrices: their counts, their words, and a few of many classes."""

import torch

from kdistill.artifacts.figures import Matrix
from kdistill.tasks.shown.confusion import MOST, confusion_matrices


def answered(classes: int) -> list[Matrix]:
    """The teacher takes 1 for 2 twice; the student also takes 0 for 1 once."""
    labels = torch.tensor([0, 0, 1, 1, 2])
    said = {"teacher": [0, 0, 2, 2, 2], "student": [1, 0, 2, 2, 2], "baseline": [0] * 5}
    rows = {model: torch.eye(classes)[each] for model, each in said.items()}
    return confusion_matrices(rows, labels, [f"kind {number}" for number in range(classes)])


def test_each_matrix_holds_its_counts() -> None:
    teacher, student = answered(3)
    assert teacher.counts == [[2, 0, 0], [0, 0, 2], [0, 0, 1]]
    assert student.counts == [[1, 1, 0], [0, 0, 2], [0, 0, 1]]
    assert teacher.names == student.names == ["kind 0", "kind 1", "kind 2"]
    assert (teacher.model, student.model, student.classes) == ("teacher", "student", 3)
    assert teacher.note.startswith("2 of 5 wrong; most often it takes kind 1 for kind 2 (2). ")
    assert "takes kind 1 for kind 2 (2), kind 0 for kind 1 (1)" in student.note


def test_of_many_classes_those_of_the_worst_mistakes_are_held() -> None:
    assert len(answered(MOST)[0].names) == MOST
    teacher, student = answered(MOST + 1)
    assert teacher.names == student.names == ["kind 0", "kind 1", "kind 2"]
    assert teacher.counts == answered(3)[0].counts
    assert student.classes == MOST + 1


def test_a_model_without_mistakes() -> None:
    for classes, held in ((3, 3), (MOST + 1, 0)):
        names = [str(number) for number in range(classes)]
        (right,) = confusion_matrices({"student": torch.eye(classes)[:3]}, torch.arange(3), names)
        assert right.note.startswith("0 of 3 wrong. ")
        assert len(right.names) == held


def test_a_thousand_classes_take_no_matrix_of_a_million() -> None:
    torch.manual_seed(0)
    student = torch.rand(5000, 1000)
    names = [str(number) for number in range(1000)]
    (matrix,) = confusion_matrices({"student": student}, torch.randint(1000, (5000,)), names)
    assert len(matrix.names) <= 24
