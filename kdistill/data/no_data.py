"""NoData: for a teacher that somebody else trained, of whose data only the shape is known."""

from math import isqrt
from pathlib import Path

import torch

from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.rbm_file import read_rbm
from kdistill.data.batch import Dataset, Examples
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array, blank, shape_of
from kdistill.errors import UserError


class NoData:
    """No example, and inputs of the shape that the RBM in the file `rbm` takes: a picture of one
    channel, if its visible units make a square."""

    def __init__(self, rbm: str | None) -> None:
        if not rbm:
            raise UserError("dataset: without data it takes an RBM's file; give teacher.path=FILE")
        self.rbm = Path(rbm)

    def plan(self) -> DatasetPlan:
        """UserError when the file cannot be read."""
        visible = len(read_rbm(self.rbm)["visible_bias"])
        side = isqrt(visible)
        shape = (1, side, side) if side * side == visible else (visible,)
        note = "There are no data: everything is learned and measured on samples."
        bits = Array(shape, torch.uint8, below=2)
        return DatasetPlan("none", "generated", bits, (), 0, 0, 0, 0, note)

    def load(self) -> Dataset:
        """Empty parts."""
        plan = self.plan()
        empty = Examples(blank(plan.inputs, 0), None, torch.arange(0))
        name = fingerprint("no data", shape_of(plan.inputs))
        parts = empty, empty, empty
        return Dataset(plan.name, plan.source, name, plan.inputs, None, (), *parts, plan.note)
