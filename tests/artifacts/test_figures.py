"""Figures as data: what does not fit together is refused when it is made."""

from typing import Any

import pytest

from kdistill.artifacts.figures import POINTS, Line, Mark, Matrix


def line(**changes: Any) -> Line:
    return Line(**{"label": "a", "model": "student", "x": [1, 2], "y": [3, 4], **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": "teacher 2"},
            "must be of one of teacher, baseline, student, not of 'teacher 2'",
        ),
        ({"y": [3]}, "has 2 x and 1 y"),
        ({"cases": [1, 2, 3]}, "has 2 x and 3 cases"),
        ({"low": [1, 1]}, "has one end of a band"),
        ({"high": [1, 1]}, "has one end of a band"),
        ({"low": [1, 1], "high": [2]}, "has 2 x and 1 high"),
        ({"x": [1] * (POINTS + 1), "y": [1] * (POINTS + 1)}, "has more than 10000 points"),
    ],
)
def test_a_line_whose_numbers_do_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"line 'a': {said}"):
        line(**changes)


def test_lines_of_a_model_with_a_band_or_of_none() -> None:
    assert line(low=[2, 3], high=[4, 5], cases=[1, 2]).model == "student"
    assert line(model="").x == [1, 2]
    assert line(x=[], y=[]).x == []


def test_a_mark_is_a_point_of_a_model() -> None:
    assert Mark("T = 1", "", 1, 2).y == 2
    with pytest.raises(ValueError, match="mark 'T': must be of one of"):
        Mark("T", "nobody", 1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ["a"]},
        {"counts": [[1, 0]]},
        {"counts": [[1], [0, 2]]},
        {"names": ["a", "b", "c"]},
        {"classes": 1},
    ],
)
def test_a_matrix_is_square_and_of_no_more_than_all_classes(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"names": ["a", "b"], "counts": [[1, 0], [0, 2]], "classes": 2}
    assert Matrix(model="teacher", note="", **right).classes == 2
    assert Matrix("student", [], [], 30, "").names == []
    with pytest.raises(ValueError, match="matrix of the teacher: must have a row for each name"):
        Matrix(model="teacher", note="", **{**right, **wrong})
