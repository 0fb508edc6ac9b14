"""A weighted sum of losses: total = sum_k weight_k * total_k."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.losses.loss import Loss, Shapes, number
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals


class Mixture(Loss):
    """terms: {name: {"weight": >= 0, "loss": Loss}}; each logs its own terms as name.term."""

    weights: Tensor  # [terms]

    def __init__(self, terms: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("terms must name at least one loss")
        for name, term in terms.items():
            if not name.isidentifier() or hasattr(nn.ModuleDict(), name):
                raise ValueError(
                    f"terms.{name}: torch cannot hold a part of this name; use another"
                )
            if not isinstance(term, Mapping) or set(term) != {"weight", "loss"}:
                held = [*term] if isinstance(term, Mapping) else term
                raise ValueError(
                    f"terms.{name} must have the keys weight and loss, got {held} "
                    f"(a weight alone: terms.{name}.weight)"
                )
            if not isinstance(term["loss"], Loss):
                raise ValueError(f"terms.{name}.loss must be a loss, got {term['loss']!r}")
        self.terms = nn.ModuleDict({name: term["loss"] for name, term in terms.items()})
        weights = [number(f"terms.{name}.weight", terms[name]["weight"], 0) for name in terms]
        self.register_buffer("weights", torch.stack(weights))
        if not self.compares and any(loss.compares for _, loss in self._each()):
            kinds = [f"{name}: {' or '.join(loss.compares)}" for name, loss in self._each()]
            raise ValueError(f"terms: they are about different answers ({', '.join(kinds)})")

    def _each(self) -> list[tuple[str, Loss]]:
        return list(self.terms.items())  # type: ignore[arg-type]

    @property
    def student_needs(self) -> frozenset[Signal]:  # type: ignore[override]
        return frozenset().union(*(loss.student_needs for _, loss in self._each()))

    @property
    def teacher_needs(self) -> frozenset[Signal]:  # type: ignore[override]
        return frozenset().union(*(loss.teacher_needs for _, loss in self._each()))

    @property
    def compares(self) -> frozenset[str]:  # type: ignore[override]
        """What all terms are about that are not about any kind of answer."""
        stated = [loss.compares for _, loss in self._each() if loss.compares]
        return frozenset.intersection(*stated) if stated else frozenset()

    @property
    def needs_targets(self) -> bool:  # type: ignore[override]
        return any(loss.needs_targets for _, loss in self._each())

    @property
    def needs_samples(self) -> bool:  # type: ignore[override]
        return any(loss.needs_samples for _, loss in self._each())

    @property
    def double_backward(self) -> bool:  # type: ignore[override]
        return any(loss.double_backward for _, loss in self._each())

    @property
    def laws(self) -> frozenset[str]:  # type: ignore[override]
        """What every term with weight obeys, the sum obeys."""
        weighted = [loss for (_, loss), w in zip(self._each(), self.weights, strict=True) if w > 0]
        summed = weighted or [loss for _, loss in self._each()]
        return frozenset.intersection(*(loss.laws for loss in summed))

    def bind(self, student: Shapes, teacher: Shapes) -> None:
        for _, loss in self._each():
            loss.bind(student, teacher)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        total = torch.zeros((), device=self.weights.device)
        named: dict[str, Tensor] = {}
        for weight, (name, loss) in zip(self.weights, self._each(), strict=True):
            terms = loss(student, teacher, batch)
            total = total + weight * terms["total"]
            named.update({f"{name}.{term}": value for term, value in terms.items()})
        return {"total": total, **named}
