"""Terms: the loss terms of an epoch, kept on the device until somebody reads them."""

import math

import torch
from torch import Tensor

from kdistill.errors import UserError

CHECKED = 1000  # steps between two looks for NaN within an epoch


class Diverged(UserError):
    """A loss term became NaN or infinite."""

    def __init__(self, stage: str, step: int, term: str, value: float, learning_rate: float):
        super().__init__(
            f"{stage}: loss term {term!r} became {value} at step {step} "
            f"(learning rate {learning_rate:.3g}); lower the learning rate or set fit.clip"
        )
        self.step = step


class Terms:
    """Collects scalars without waiting for the device each step; `means` reads them all."""

    def __init__(self, stage: str, first_step: int) -> None:
        self.stage, self.first_step = stage, first_step
        self._names: list[str] = []
        self._rows: list[Tensor] = []  # one per step, [terms]
        self._counts: list[int] = []  # samples of each step
        self._rates: list[float] = []

    def add(self, terms: dict[str, Tensor], samples: int, learning_rate: float) -> None:
        """Remember one step."""
        self._names = list(terms)
        self._rows.append(torch.stack([term.detach().float() for term in terms.values()]))
        self._counts.append(samples)
        self._rates.append(learning_rate)
        if len(self._rows) % CHECKED == 0:
            self._table()

    def _table(self) -> Tensor:
        """[steps, terms]; reading it waits for the device."""
        table = torch.stack(self._rows).cpu().double()
        bad = torch.nonzero(~table.isfinite())
        if len(bad):
            at, term = bad[0].tolist()
            step, value, rate = self.first_step + at + 1, float(table[at, term]), self._rates[at]
            raise Diverged(self.stage, step, self._names[term], value, rate)
        return table

    def means(self) -> dict[str, float]:
        """Mean of each term over the samples; raises Diverged at the first that is not finite."""
        table = self._table()
        weights = torch.tensor(self._counts, dtype=torch.float64)
        values = (table * weights[:, None]).sum(dim=0) / math.fsum(self._counts)
        return dict(zip(self._names, values.tolist(), strict=True))
