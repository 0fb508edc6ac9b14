"""Terms: the loss terms of an epoch, kept on the device until somebody reads them."""

import math
from typing import Any

import torch
from torch import Tensor

from kdistill import ranks
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

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.start(0)

    def start(self, first_step: int) -> None:
        """Begin an epoch, of which `first_step` is the number of the first step."""
        self.first_step = first_step
        self._names: list[str] = []
        self._rows: list[Tensor] = []  # one per step, [terms]
        self._counts: list[int | Tensor] = []  # samples of each step, or positions that count
        self._rates: list[float] = []

    def add(self, terms: dict[str, Tensor], weight: int | Tensor, learning_rate: float) -> None:
        """Remember one step, and what it weighs in the means (`Batch.weight`)."""
        self._names = list(terms)
        self._rows.append(torch.stack([term.detach().float() for term in terms.values()]))
        self._counts.append(weight)
        self._rates.append(learning_rate)
        if len(self._rows) % CHECKED == 0:
            self._table()

    def _table(self) -> tuple[Tensor, Tensor]:
        """Means [steps, terms] of every step and what they weigh [steps, 1], in all processes.

        Reading it waits for the device.
        """
        own = torch.tensor([float(count) for count in self._counts], dtype=torch.float64)[:, None]
        counts = ranks.total(own)
        # 0 * NaN would be NaN: a share without samples of its own adds nothing
        sums = torch.where(own > 0, torch.stack(self._rows).cpu().double() * own, 0.0)
        table = ranks.total(sums) / counts.clamp_min(1)  # 0 where a whole batch is masked
        bad = torch.nonzero(~table.isfinite())
        if len(bad):
            at, term = bad[0].tolist()
            step, value, rate = self.first_step + at + 1, float(table[at, term]), self._rates[at]
            raise Diverged(self.stage, step, self._names[term], value, rate)
        return table, counts

    def means(self) -> dict[str, float]:
        """Mean of each term over what counts; raises Diverged at the first that is not finite."""
        table, counts = self._table()
        values = (table * counts).sum(dim=0) / math.fsum(counts.flatten().tolist())
        return dict(zip(self._names, values.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The steps of this epoch so far, over all processes; every one of them must call this."""
        if not self._rows:
            return {"first_step": self.first_step, "names": []}
        table, counts = self._table()
        return {
            "first_step": self.first_step,
            "names": self._names,
            "table": table,
            "counts": counts.flatten().long().tolist(),
            "rates": self._rates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with those steps; the first process counts their samples for all."""
        self.start(state["first_step"])
        if state["names"]:
            counts = state["counts"] if ranks.first() else [0] * len(state["counts"])
            self._names, self._rates, self._counts = state["names"], state["rates"], counts
            self._rows = list(state["table"].float())
