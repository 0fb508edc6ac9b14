"""The gallery: which classes get a bar, what is said of a case, and inputs that are no pictures."""

import re
from dataclasses import replace

import pytest
import torch

from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import Contents, read
from kdistill.report.gallery import bars, gallery


def one_case(folder: RunFolder, inputs: torch.Tensor) -> Contents:
    said = {
        "teacher": torch.tensor([[0.5, 0.25, 0.25]]),
        "student": torch.tensor([[0.25, 0.5, 0.25]]),
    }
    about = {"labels": torch.tensor([2]), "index": torch.tensor([4711])}
    kept = read(folder)
    result = replace(kept.result, dataset={**kept.result.dataset, "classes": ["cat", "dog", "cow"]})
    shown = {"inputs": inputs[None], "row": torch.tensor([0])}
    return replace(kept, result=result, predictions={**about, **said}, gallery=shown)


def test_a_case_says_label_answers_index_and_divergence(folder: RunFolder) -> None:
    page = gallery(one_case(folder, torch.zeros(1, 4, 4, dtype=torch.uint8)))
    assert "<h3>Labelled cow: teacher cat, student dog</h3>" in page
    assert "Test index 4711, KL 0.17 nats." in page  # 0.5 ln 2 - 0.25 ln 2
    assert "Shares of teacher, student: cat 50 %, 25 %; dog 25 %, 50 %; cow 25 %, 25 %." in page
    widths = re.findall(r'<i class="(\w+)" style="width: ([\d.]+)%">', page)
    assert widths[:2] == [("teacher", "50.0"), ("student", "25.0")]


@pytest.mark.parametrize(("shape", "pictures"), [((3, 6, 8), 1), ((1, 6, 8), 1), ((30,), 0)])
def test_only_images_are_drawn(folder: RunFolder, shape: tuple[int, ...], pictures: int) -> None:
    page = gallery(one_case(folder, torch.rand(shape)))
    assert page.count('<img src="data:image/png;base64,') == page.count("<img") == pictures
    assert page.count('role="img"') == 1


def test_few_classes_all_have_a_bar() -> None:
    teacher, student = torch.tensor([0.1, 0.9]), torch.tensor([0.2, 0.8])
    names = [name for name, _, _ in bars(teacher, student, ["a", "b"])]
    assert names == ["b", "a"]


def test_many_classes_show_those_that_either_favours_and_the_rest_as_one() -> None:
    teacher = torch.tensor([0.4, 0.0, 0.1, 0.1, 0.1, 0.2, 0.1])
    student = torch.tensor([0.1, 0.5, 0.1, 0.05, 0.05, 0.1, 0.1])
    found = bars(teacher, student, [*"abcdefg"])
    assert [name for name, _, _ in found] == ["b", "a", "f", "c", "3 others"]
    assert found[-1][1:] == pytest.approx((0.3, 0.2))
    assert sum(share for _, share, _ in found) == pytest.approx(1)


def test_without_a_gallery_there_is_nothing(folder: RunFolder) -> None:
    assert gallery(replace(read(folder), gallery={})) == ""
