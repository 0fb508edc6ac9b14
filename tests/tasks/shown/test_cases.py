"""Cases: which classes get a bar, what is said of a case, and how its input is shown."""

import pytest
import torch

from kdistill.artifacts.figures import Picture, Shown
from kdistill.tasks.shown.cases import bars, disagreements, samples, shown


def test_a_case_says_label_answers_index_and_divergence() -> None:
    said = {
        "teacher": torch.tensor([[0.1, 0.1, 0.8], [0.5, 0.25, 0.25]]),
        "student": torch.tensor([[0.1, 0.1, 0.8], [0.25, 0.5, 0.25]]),
    }
    about = {"labels": torch.tensor([0, 2]), "index": torch.tensor([17, 4711])}
    input = Shown(text="moo")
    found = disagreements(said, about, ["cat", "dog", "cow"], torch.tensor([1]), [input])
    (case,) = found.cases
    assert case.heading == "Labelled cow: teacher cat, student dog"
    assert case.note == "Test index 4711, KL 0.17 nats."  # 0.5 ln 2 - 0.25 ln 2
    assert case.input == input
    assert [bar.label for bar in case.bars] == ["cat", "dog", "cow"]
    assert case.bars[0].shares == {"teacher": 0.5, "student": 0.25}
    assert found.note.startswith("The 1 of 2 test inputs with the largest divergence")


def test_few_classes_all_have_a_bar() -> None:
    teacher, student = torch.tensor([0.1, 0.9]), torch.tensor([0.2, 0.8])
    assert [bar.label for bar in bars(teacher, student, ["a", "b"])] == ["b", "a"]


def test_many_classes_show_those_that_either_favours_and_the_rest_as_one() -> None:
    teacher = torch.tensor([0.4, 0.0, 0.1, 0.1, 0.1, 0.2, 0.1])
    student = torch.tensor([0.1, 0.5, 0.1, 0.05, 0.05, 0.1, 0.1])
    found = bars(teacher, student, [*"abcdefg"])
    assert [bar.label for bar in found] == ["b", "a", "f", "c", "3 others"]
    assert found[-1].shares == {"teacher": pytest.approx(0.3), "student": pytest.approx(0.2)}
    assert sum(bar.shares["teacher"] for bar in found) == pytest.approx(1)


def test_pictures_are_shown_by_their_rows_and_a_few_numbers_as_they_are() -> None:
    pictures = shown(torch.zeros(2, 1, 4, 4), "gallery", "inputs")
    assert pictures == [Shown(Picture("gallery", "inputs", [row])) for row in (0, 1)]
    assert shown(torch.tensor([[1.0, 0.5]]), "gallery", "inputs") == [Shown(numbers=[1.0, 0.5])]
    for other in (torch.zeros(1, 17), torch.full((1, 2), torch.inf), torch.zeros(1, 4, 4)):
        assert shown(other, "gallery", "inputs") == [Shown()]


def test_samples_are_a_sheet_for_each_model() -> None:
    found = samples({"student": 3, "teacher": 2}, "samples").cases
    assert [case.heading for case in found] == ["Teacher", "Student distilled"]
    assert found[1].input.picture == Picture("samples", "student", [0, 1, 2])
