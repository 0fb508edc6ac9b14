"""What a report is drawn from: read once, and refused in one line where it does not fit."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError
from kdistill.report.contents import Contents, read


def configured(folder: RunFolder, config: str) -> Contents:
    folder.config.write_text(config)
    return read(folder)


def test_bins_are_those_of_the_config(folder: RunFolder) -> None:
    assert configured(folder, "task: {bins: 7}").bins == 7
    for config in ("task: {main: errors}", "task: {bins: many}", "task: null", "{}"):
        assert configured(folder, config).bins == 15
    for bins in ("0", "1000000000", "true", "1.5"):
        assert configured(folder, f"task: {{bins: {bins}}}").bins == 15


def test_temperatures_are_all_that_the_loss_names(folder: RunFolder) -> None:
    assert read(folder).temperatures == [8.0]
    mixture = "{terms: {a: {loss: {temperature: 4}}, b: {loss: {temperature: 1.5}}, c: {}}}"
    assert configured(folder, f"loss: {mixture}").temperatures == [1.5, 4.0]
    extreme = "{a: {temperature: 1e-300}, b: {temperature: 1.0e+300}, c: {temperature: 0.001}}"
    assert configured(folder, f"loss: {extreme}").temperatures == [0.001]
    many = ", ".join(f"a{place}: {{temperature: {place + 1}}}" for place in range(30))
    assert configured(folder, f"loss: {{{many}}}").temperatures == [*range(1, 21)]
    elsewhere = "teacher: {loss: {temperature: 3}}\nloss: {temperature: '${oc.env:HOME}'}"
    assert configured(folder, elsewhere).temperatures == []


def test_classes_without_names_are_numbers(folder: RunFolder) -> None:
    kept = read(folder)
    named = replace(kept.result, dataset={"classes": [*"abcdefghij"]})
    other = replace(kept.result, dataset={"classes": ["one", "two"]})
    assert replace(kept, result=named).classes == [*"abcdefghij"]
    assert replace(kept, result=other).classes == [*"0123456789"]


def test_a_damaged_config_is_one_line_naming_the_file(folder: RunFolder) -> None:
    with pytest.raises(UserError, match=r"config\.yaml: damaged YAML") as raised:
        configured(folder, "loss: [1,")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"student": torch.ones(3, 10) / 10},
        {"student": torch.ones(10_000, 4) / 4},
        {"labels": torch.full((10_000,), 10)},
        {"labels": torch.full((10_000,), -1)},
    ],
)
def test_predictions_that_do_not_belong_together_are_refused(
    folder: RunFolder, change: dict[str, Tensor]
) -> None:
    write_tensors(folder.predictions, {**read_tensors(folder.predictions), **change})
    with pytest.raises(UserError, match=r"predictions\.safetensors: damaged; it"):
        read(folder)


def test_a_gallery_of_other_predictions_is_refused(folder: RunFolder) -> None:
    write_tensors(folder.gallery, {"inputs": torch.ones(1, 3), "row": torch.tensor([10_000])})
    with pytest.raises(UserError, match=r"gallery\.safetensors: damaged"):
        read(folder)


def test_an_unfinished_run_is_refused(folder: RunFolder) -> None:
    folder.result.unlink()
    with pytest.raises(UserError, match="the run is not finished"):
        read(folder)
