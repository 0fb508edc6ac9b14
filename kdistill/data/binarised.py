"""Binarised: the pictures of another data set as bits, for models of binary data."""

from dataclasses import replace

import torch
from torch import Tensor

from kdistill.artifacts.files import fingerprint
from kdistill.data.batch import Dataset, Examples
from kdistill.data.plan import DatasetPlan, DataSource
from kdistill.data.randomness import purpose_of, sample_keys, uniform
from kdistill.data.spec import Array, Spec
from kdistill.errors import UserError

SLICE = 4096  # inputs at once: random numbers take many times the memory of bits


class Binarised:
    """Every input of `source` as uint8 0 or 255, which models read as 0 and 1; without labels.

    how: "random": a pixel is 1 with the chance of its grey level, drawn once for each input and
    `seed` (Salakhutdinov and Murray 2008); "threshold": where its grey level is above one half.
    """

    def __init__(self, source: DataSource, how: str = "random", seed: int = 0) -> None:
        if how not in ("random", "threshold"):
            raise ValueError(f"how must be random or threshold, got {how}")
        self.source, self.how, self.seed = source, how, seed

    def plan(self) -> DatasetPlan:
        """As that of `source`."""
        plan = self.source.plan()
        return replace(plan, name="binarised", classes=(), inputs=_bits_of(plan.inputs))

    def load(self) -> Dataset:
        """UserError for inputs that are no pictures in uint8, or do not fit into memory."""
        whole = self.source.load()
        name = fingerprint(whole.fingerprint, self.how, self.seed)
        note = f"{whole.name} in bits ({self.how}). {whole.note}".strip()
        return replace(
            whole,
            name="binarised",
            fingerprint=name,
            inputs=_bits_of(whole.inputs),
            targets=None,
            classes=(),
            train=replace(self._bits(whole.train, "train"), origin=name),
            validation=self._bits(whole.validation, "validation"),
            test=self._bits(whole.test, "test"),
            note=note,
        )

    def _bits(self, examples: Examples, part: str) -> Examples:
        inputs = examples.inputs
        if not isinstance(inputs, Tensor) or inputs.dtype != torch.uint8:
            raise UserError("dataset.source: only pictures in memory (uint8) can be binarised")
        made = torch.empty_like(inputs)
        for rows in torch.split(torch.arange(len(examples)), SLICE):
            grey = inputs[rows].flatten(1) / 255
            level: float | Tensor = 0.5
            if self.how == "random":
                # validation examples are of the same file as the training set, test examples not
                purpose = purpose_of("bits of the test" if part == "test" else "bits")
                keys = sample_keys(self.seed, 0, examples.index[rows])
                level = uniform(keys, grey.shape[1], purpose)
            made[rows] = ((grey > level) * 255).to(torch.uint8).view_as(inputs[rows])
        return replace(examples, inputs=made, targets=None, group=None)


def _bits_of(inputs: Spec) -> Spec:
    return replace(inputs, below=2) if isinstance(inputs, Array) else inputs  # which load refuses
