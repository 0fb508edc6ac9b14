"""The 1,797 digits of 8x8 pixels that scikit-learn ships (UCI, Alpaydin and Kaynak 1998)."""

import torch

from kdistill.data.batch import Dataset
from kdistill.data.packaged import packaged_file, read_table
from kdistill.data.plan import DatasetPlan
from kdistill.data.spec import Array
from kdistill.data.split import check_validation, held_out, resident

_EXAMPLES, _TEST = 1797, 400
_TEST_SEED = 0
_NOTE = (
    "These are the 1,797 digits of 8x8 pixels shipped with scikit-learn, 400 of them for the test; "
    "they are for trying things out."
)


class Digits:
    """8x8 digits, grey levels 0..16 scaled to uint8 0..255; the test set is fixed."""

    def __init__(self, validation: int | float, split_seed: int) -> None:
        check_validation(validation)
        self.validation, self.split_seed = validation, split_seed

    def plan(self) -> DatasetPlan:
        """The plan, from known counts."""
        held = held_out(self.validation, _EXAMPLES - _TEST)
        return DatasetPlan(
            name="digits",
            source="bundled",
            inputs=Array((1, 8, 8), torch.uint8),
            classes=tuple("0123456789"),
            train=_EXAMPLES - _TEST - held,
            validation=held,
            test=_TEST,
            bytes=_EXAMPLES * 64,
            note=_NOTE,
        )

    def load(self) -> Dataset:
        """The digits; UserError when scikit-learn's file is missing or damaged."""
        remedy = "pip install --force-reinstall scikit-learn"
        table = read_table(packaged_file("sklearn", "datasets/data/digits.csv.gz", remedy), 65)
        order = torch.randperm(len(table), generator=torch.Generator().manual_seed(_TEST_SEED))
        test, train = table[order[:_TEST].sort().values], table[order[_TEST:].sort().values]

        def part(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            inputs = (rows[:, :-1] * (255 / 16)).round().to(torch.uint8)
            return inputs.reshape(-1, 1, 8, 8), rows[:, -1].long()

        return resident(self.plan(), part(train), part(test), self.validation, self.split_seed)
