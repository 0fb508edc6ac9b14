"""What a report is drawn from: read once, and refused in one line where it does not fit."""

import pytest
import torch

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError
from kdistill.report.contents import Contents, read


def configured(folder: RunFolder, config: str) -> Contents:
    folder.config.write_text(config)
    return read(folder)


def test_a_damaged_config_is_one_line_naming_the_file(folder: RunFolder) -> None:
    with pytest.raises(UserError, match=r"config\.yaml: damaged YAML") as raised:
        configured(folder, "loss: [1,")
    assert "\n" not in str(raised.value)


def test_pictures_are_those_that_the_result_shows(folder: RunFolder) -> None:
    inputs = read_tensors(folder.kept("gallery"))["inputs"]
    pictures = read(folder).pictures
    assert pictures.keys() == {("gallery", "inputs")}
    assert torch.equal(pictures["gallery", "inputs"], inputs)
    folder.kept("gallery").unlink()
    assert read(folder).pictures == {}


def test_a_gallery_of_another_run_is_refused(folder: RunFolder) -> None:
    write_tensors(folder.kept("gallery"), {"inputs": torch.ones(7, 3)})
    with pytest.raises(
        UserError, match=r"gallery\.safetensors: damaged; inputs lacks what the res"
    ):
        read(folder)


def test_an_unfinished_run_is_refused(folder: RunFolder) -> None:
    folder.result.unlink()
    with pytest.raises(UserError, match="the run is not finished"):
        read(folder)
