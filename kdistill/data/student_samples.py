"""WithSamples: batches, each followed by samples of the model that is trained on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch, Stream
from kdistill.data.randomness import derived
from kdistill.data.tree import count, floats, joined, single


class Draw(Protocol):
    """Draws samples for one batch after the other; chains that go on between them are its state."""

    def __call__(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Samples [any number, *input] for a batch of floats."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class WithSamples:
    """The batches of `stream`, each with the samples that `draw` gives for it behind its rows.

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
        # a name that the random numbers follow from: with another text they would be others
        purpose = f"own samples, step {self._step}, process {self._rank}"
        generator = torch.Generator(single(batch.inputs).device)
        generator.manual_seed(derived(self._seed, purpose))
        samples = self._draw(batch, generator)
        self._step += 1
        return appended(batch, samples)

    def shared(self, rank: int, world: int) -> "WithSamples":
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


def appended(batch: Batch, samples: Tensor) -> Batch:
    """`batch` of floats and the rows `samples`, which have no targets, index or key."""
    inputs = single(batch.inputs)
    both = joined([inputs, samples.view(-1, *inputs.shape[1:]).to(inputs)])
    sampled = torch.arange(count(both), device=inputs.device) >= len(inputs)
    return Batch(both, share=batch.share, sampled=sampled)
