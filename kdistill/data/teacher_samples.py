"""TeacherSamples: the teacher's own samples, which go on between minibatches, in place of data."""

from collections.abc import Iterator
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor

from kdistill.data.batch import Batch, Dataset, Examples, Stream
from kdistill.data.plan import Sweeps
from kdistill.data.randomness import derived, sample_keys
from kdistill.data.spec import shape_of
from kdistill.data.streams import shared
from kdistill.data.transfer import TrainingSet, Transfer, check_counts
from kdistill.errors import UserError


class Sampler(Protocol):
    """What can be sampled: exactly by `sample`, or by a Markov chain, block Gibbs."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor: ...

    def gibbs(self, inputs: Tensor, generator: torch.Generator, sweeps: int) -> Tensor: ...


class TeacherSamples(Transfer):
    """`chains` of block Gibbs of the teacher's, begun at random bits; or exact samples, if it has.

    chains: of Gibbs a multiple of the batch size; burn_in >= 0: sweeps before the first sample;
    sweeps >= 1: of a chain between two samples of it; epoch_size >= 1: samples of an epoch.
    (Papamakarios 2015, chapter 4: 2,000 chains, 2,000 sweeps of burn-in, batches of 20 and a sweep
    of all chains after each.)
    """

    fresh = True
    epoch_size: int

    def __init__(
        self, chains: int = 2000, burn_in: int = 2000, sweeps: int = 10, epoch_size: int = 60000
    ) -> None:
        check_counts(chains=chains, sweeps=sweeps, epoch_size=epoch_size)
        if burn_in < 0:
            raise ValueError(f"burn_in must be >= 0, got {burn_in}")
        self.chains, self.burn_in, self.sweeps = chains, burn_in, sweeps
        self.epoch_size = epoch_size

    def examples(self, dataset: Dataset) -> Examples:
        """None that could be stored."""
        return dataset.train

    def check(self, dataset: Dataset) -> None:
        """Refuse data with classes, which are no samples of a density."""
        if dataset.classes:
            raise UserError(
                "transfer: samples of the teacher are for densities, and these data have classes; "
                "use dataset=binarised, or transfer=train"
            )

    def count(self, dataset: Dataset) -> int:
        """`epoch_size`."""
        return self.epoch_size

    def steps(self, epochs: int) -> list[Sweeps]:
        """All chains first, then each sample."""
        what = f"{self.chains} chains, {self.burn_in} sweeps first, {self.sweeps} for each sample"
        count = self.chains * self.burn_in + epochs * self.epoch_size * self.sweeps
        return [Sweeps("samples", what, count)]

    def alone(self) -> TrainingSet:
        """What the student learns from without the teacher: as many data."""
        return TrainingSet(epoch_size=self.epoch_size)

    def stream(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        sampler: Any = None,
    ) -> Stream:
        """Samples of `sampler` (see Sampler), which one of a teacher without is refused."""
        if not (hasattr(sampler, "gibbs") or hasattr(sampler, "sample")):
            raise UserError(
                "transfer: this teacher cannot be sampled; use teacher=rbm, or transfer=train"
            )
        return SampleStream(sampler, self, batch_size, seed, device, shape_of(dataset.inputs))


class SampleStream:
    """Batches of samples, an epoch of them as many as TeacherSamples says.

    Chains are divided into groups of a batch, which are taken in turn; when all have been, every
    chain goes on. State, and all random numbers, are in `state_dict` and the seed.
    """

    fresh = True

    def __init__(
        self,
        sampler: Sampler,
        how: TeacherSamples,
        batch_size: int,
        seed: int,
        device: torch.device,
        input_shape: tuple[int, ...],
    ) -> None:
        self._sampler, self._how, self._seed, self._device = sampler, how, seed, device
        self._batch_size, self._shape = batch_size, input_shape
        self._groups = max(how.chains // batch_size, 1)
        self._chains: Tensor | None = None  # [groups * batch_size, *input], floats 0 and 1
        self._taken = 0  # batches
        self._rank, self._world = 0, 1

    def __len__(self) -> int:
        return max(round(self._how.epoch_size / self._batch_size), 1)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        round_, group = divmod(self._taken, self._groups)
        if group == 0 or self._chains is None:
            self._chains = self._advanced(self._chains, round_)
        here = torch.split(self._chains, self._batch_size)[group]
        part, share = shared(0, len(here), self._rank, self._world)
        numbers = torch.arange(self._batch_size)[part] + self._taken * self._batch_size
        self._taken += 1
        key = sample_keys(self._seed, 0, numbers).to(self._device)
        return Batch(here[part].clone(), key=key, share=share)

    def _advanced(self, chains: Tensor | None, round_: int) -> Tensor:
        generator = torch.Generator(self._device)
        generator.manual_seed(derived(self._seed, f"teacher samples {round_}"))
        count, sampler = self._groups * self._batch_size, self._sampler
        if not hasattr(sampler, "gibbs"):
            return sampler.sample(count, generator)
        if chains is not None:
            return sampler.gibbs(chains, generator, self._how.sweeps)
        shape = count, prod(self._shape)
        bits = torch.empty(shape, device=self._device).uniform_(generator=generator).round()
        return sampler.gibbs(bits.view(count, *self._shape), generator, self._how.burn_in)

    def shared(self, rank: int, world: int) -> "SampleStream":
        """Itself, from now on giving each of `world` processes its part of every batch: all of them
        run all chains, which are the same."""
        self._rank, self._world = rank, world
        return self

    def state_dict(self) -> dict[str, Any]:
        """The chains, as bits, and the batches taken."""
        chains = None if self._chains is None else self._chains.to(torch.uint8).cpu()
        return {"chains": chains, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on exactly where the stream of that state was."""
        self._taken = state["taken"]
        chains = state["chains"]
        self._chains = None if chains is None else chains.float().to(self._device)
