"""Confusion matrices as figures, and the table that stands for a few of many classes."""

import re

import pytest

from kdistill.artifacts.figures import Matrix
from kdistill.report.matrix import MOST, matrices

COUNTS = {
    "teacher": [[2, 0, 0], [0, 0, 2], [0, 0, 1]],
    "student": [[1, 1, 0], [0, 0, 2], [0, 0, 1]],
}


def answered(classes: int, names: tuple[str, ...] = ("kind 0", "kind 1", "kind 2")) -> list[Matrix]:
    """The teacher takes 1 for 2 twice; the student also takes 0 for 1 once."""
    return [Matrix(m, [*names], each, classes, f"{m}: a note") for m, each in COUNTS.items()]


def test_each_matrix_holds_its_counts() -> None:
    page = matrices(answered(3))
    teacher, student = re.findall(r"<table.*?</table>", page)
    cells = [re.findall(r"<td[^>]*>(\d*)</td>", table)[1:] for table in (teacher, student)]
    assert cells[0] == ["2", "", "", "", "", "2", "", "", "1"]
    assert cells[1] == ["1", "1", "", "", "", "2", "", "", "1"]
    assert "teacher: a note" in page


def test_both_matrices_share_one_scale_of_colour() -> None:
    shares = [int(share) for share in re.findall(r"--share: (\d+)%", matrices(answered(3)))]
    one, *twice = sorted(shares)
    assert len(twice) == 2
    assert twice[0] == twice[1] > one


def test_a_few_of_many_classes_are_a_table_of_the_worst_pairs() -> None:
    assert "<figure" in matrices(answered(3))
    page = matrices(answered(21))
    assert "<figure" not in page
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page)
    texts = [re.sub("<[^>]+>", " ", row).split() for row in rows]
    assert texts == [["kind", "1", "kind", "2", "2", "2"], ["kind", "0", "kind", "1", "0", "1"]]
    assert "of both models, of 21 classes." in page


def test_a_matrix_too_large_for_a_page_is_such_a_table_too() -> None:
    size = MOST + 1
    counts = [[int(row == 3 and column == 5) for column in range(size)] for row in range(size)]
    page = matrices([Matrix("student", [f"k{n}" for n in range(size)], counts, size, "")])
    assert "<figure" not in page
    assert re.search("k3.*k5", page)
    assert "k4" not in page


@pytest.mark.parametrize(("names", "classes"), [([], 30), (["a"], 1)])
def test_models_that_make_no_mistake(names: list[str], classes: int) -> None:
    page = matrices([Matrix("student", names, [[7]] if names else [], classes, "0 of 7 wrong.")])
    assert ("0 of 7 wrong." if names else "No model makes a mistake.") in page


@pytest.mark.parametrize("classes", [3, 21])
def test_a_class_is_text(classes: int) -> None:
    page = matrices(answered(classes, ("<b>", "<i>", "&")))
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_without_any_there_is_nothing() -> None:
    assert matrices([]) == ""
