"""WithOwn: batches, each followed by samples of the model that is trained on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch, Stream
from kdistill.data.randomness import derived
from kdistill.data.tree import floats, joined, single


class Draw(Protocol):
    """Samples for a batch; what it remembers between two batches is in its state."""

    def __call__(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """For a batch of floats."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class WithOwn:
    """The batches of `stream` with what `draw` gives for each appended; `own` says which rows.

    Random numbers depend on `seed`, the step and the process alone.
    """

    fresh = True

    def __init__(self, stream: Stream, draw: Draw, seed: int) -> None:
        self._stream, self._draw, self._seed = stream, draw, seed
        self._step, self._rank = 0, 0

    def __len__(self) -> int:
        return len(self._stream)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._stream)
        batch = replace(batch, inputs=floats(batch.inputs))
        purpose = f"own samples, step {self._step}, process {self._rank}"
        generator = torch.Generator(single(batch.inputs).device)
        generator.manual_seed(derived(self._seed, purpose))
        drawn = self._draw(batch, generator)
        self._step += 1
        return appended(batch, drawn)

    def shared(self, rank: int, world: int) -> "WithOwn":
        """Itself, from now on giving each of `world` processes its part of every batch."""
        self._stream, self._rank = self._stream.shared(rank, world), rank
        return self

    def state_dict(self) -> dict[str, Any]:
        """Of the stream and of what is drawn, and the steps done."""
        return {
            "stream": self._stream.state_dict(),
            "draw": self._draw.state_dict(),
            "step": self._step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on exactly where the stream of that state was."""
        self._stream.load_state_dict(state["stream"])
        self._draw.load_state_dict(state["draw"])
        self._step = state["step"]


class Exact:
    """As many samples as the batch has, drawn anew each time by `model.sample`."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def __call__(self, batch: Batch, generator: torch.Generator) -> Tensor:
        drawn: Tensor = self._model.sample(len(batch), generator)  # type: ignore[operator]
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


def appended(batch: Batch, drawn: Tensor) -> Batch:
    """`batch` of floats and the rows `drawn`, which have no targets, index or key."""
    inputs = single(batch.inputs)
    own = torch.arange(len(inputs) + len(drawn), device=inputs.device) >= len(inputs)
    whole = joined([inputs, drawn.view(-1, *inputs.shape[1:]).to(inputs)])
    return replace(
        batch, inputs=whole, targets=None, mask=None, index=None, part="", key=None, own=own
    )
