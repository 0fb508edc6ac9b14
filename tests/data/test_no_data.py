"""No data, of the shape that an RBM's file asks for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill.data.no_data import NoData
from kdistill.data.spec import Array
from kdistill.errors import UserError


@pytest.mark.parametrize(("visible", "shape"), [(9, (1, 3, 3)), (8, (8,))])
def test_inputs_have_the_shape_of_the_file(
    visible: int, shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "rbm.npz"
    np.savez(path, W=np.ones((visible, 2)), visible_bias=np.ones(visible), hidden_bias=np.ones(2))
    made = NoData(str(path)).load()
    bits = Array(shape, torch.uint8, below=2)
    assert made.inputs == NoData(str(path)).plan().inputs == bits
    assert made.classes == ()
    assert len(made.train) == len(made.validation) == len(made.test) == 0


def test_without_a_file_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give teacher.path=FILE"):
        NoData(None)
    with pytest.raises(UserError, match="no such file"):
        NoData(str(tmp_path / "none.npz")).plan()
