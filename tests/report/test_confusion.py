"""Confusion matrices, and the table that stands for one of many classes."""

import re
from dataclasses import replace

import pytest
import torch

from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.confusion import confusions
from kdistill.report.contents import Contents, read


def answered(folder: RunFolder, classes: int) -> Contents:
    """The teacher takes 1 for 2 twice; the student also takes 0 for 1 once."""
    labels = torch.tensor([0, 0, 1, 1, 2])
    said = {"teacher": [0, 0, 2, 2, 2], "student": [1, 0, 2, 2, 2]}
    rows = {model: torch.eye(classes)[each] for model, each in said.items()}
    names = [f"kind {number}" for number in range(classes)]
    kept = read(folder)
    result = replace(kept.result, dataset={**kept.result.dataset, "classes": names})
    return replace(kept, result=result, predictions={"labels": labels, **rows})


def test_each_matrix_holds_its_counts(folder: RunFolder) -> None:
    page = confusions(answered(folder, 3))
    teacher, student = re.findall(r"<table.*?</table>", page)
    cells = [re.findall(r"<td[^>]*>(\d*)</td>", table)[1:] for table in (teacher, student)]
    assert cells[0] == ["2", "", "", "", "", "2", "", "", "1"]
    assert cells[1] == ["1", "1", "", "", "", "2", "", "", "1"]
    assert "2 of 5 wrong; most often it takes kind 1 for kind 2 (2). " in page
    assert "3 of 5 wrong; most often it takes kind 1 for kind 2 (2), kind 0 for kind 1 (1)" in page


def test_both_matrices_share_one_scale_of_colour(folder: RunFolder) -> None:
    page = confusions(answered(folder, 3))
    shares = [int(share) for share in re.findall(r"--share: (\d+)%", page)]
    one, *twice = sorted(shares)
    assert len(twice) == 2
    assert twice[0] == twice[1] > one


def test_more_than_twenty_classes_are_a_table_of_the_worst_pairs(folder: RunFolder) -> None:
    assert "<figure" in confusions(answered(folder, 20))
    page = confusions(answered(folder, 21))
    assert "<figure" not in page
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page)
    texts = [re.sub("<[^>]+>", " ", row).split() for row in rows]
    assert texts == [["kind", "1", "kind", "2", "2", "2"], ["kind", "0", "kind", "1", "0", "1"]]


@pytest.mark.parametrize("classes", [3, 21])
def test_models_that_make_no_mistake(folder: RunFolder, classes: int) -> None:
    kept = answered(folder, classes)
    right = {"labels": torch.arange(3), "student": torch.eye(classes)[:3]}
    page = confusions(replace(kept, predictions=right))
    assert ("0 of 3 wrong. " if classes == 3 else "Neither model makes a mistake.") in page


def test_a_class_is_text(folder: RunFolder) -> None:
    kept = answered(folder, 3)
    hostile = {**kept.result.dataset, "classes": ["<b>", "<i>", "&"]}
    page = confusions(replace(kept, result=replace(kept.result, dataset=hostile)))
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_without_predictions_there_is_nothing(folder: RunFolder) -> None:
    assert confusions(replace(read(folder), predictions={})) == ""
