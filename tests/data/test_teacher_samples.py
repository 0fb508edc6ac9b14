"""Samples in place of data: chains that go on, exact ones that are new, and where they resume."""

import pytest
import torch
from torch import Tensor

from kdistill.data.binarised import Binarised
from kdistill.data.digits import Digits
from kdistill.data.streams import EpochStream
from kdistill.data.student_samples import Exact, WithSamples
from kdistill.data.teacher_samples import TeacherSamples
from kdistill.data.transfer import TrainingSet
from kdistill.errors import UserError

CPU = torch.device("cpu")
DATA = Binarised(Digits(0, 0)).load()


class Counting:
    """A chain whose state counts its sweeps."""

    def gibbs(self, inputs: Tensor, generator: torch.Generator, sweeps: int) -> Tensor:
        self.begun = inputs if not hasattr(self, "begun") else self.begun
        return torch.full_like(inputs, 0.0) + sweeps + (inputs if inputs.max() > 1 else 0)


class Bits:
    """Exact samples, or chains that forget at once: fair bits."""

    def gibbs(self, inputs: Tensor, generator: torch.Generator, sweeps: int) -> Tensor:
        return torch.empty_like(inputs).uniform_(generator=generator).round()


class Exactly(torch.nn.Module):
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.empty(count, 64).uniform_(generator=generator).round().view(count, 1, 8, 8)


def stream(sampler: object, how: TeacherSamples, batch_size: int = 20):
    return how.stream(DATA, batch_size, 0, CPU, sampler)


def test_chains_are_taken_in_turn_and_then_go_on() -> None:
    how, chains = TeacherSamples(chains=60, burn_in=50, sweeps=7, epoch_size=120), Counting()
    made = stream(chains, how)
    swept = [float(next(made).inputs.flatten()[0]) for _ in range(7)]
    assert swept == [50] * 3 + [57] * 3 + [64]
    assert set(chains.begun.unique().tolist()) == {0.0, 1.0}
    assert chains.begun.shape == (60, 1, 8, 8)
    assert len(made) == 6


def test_each_sample_is_another() -> None:
    """Within a round and between rounds, from chains as from exact samples."""
    for sampler in (Bits(), Exactly()):
        made = stream(sampler, TeacherSamples(chains=40, burn_in=1, sweeps=1))
        rows = torch.cat([next(made).inputs.flatten(1) for _ in range(4)])
        assert rows.unique(dim=0).shape == (80, 64)
        keys = torch.cat([next(made).key for _ in range(4)])
        assert len(keys.unique()) == 80


@pytest.mark.parametrize("done", [0, 3, 4, 5])
def test_it_goes_on_exactly(done: int) -> None:
    how = TeacherSamples(chains=40, burn_in=2, sweeps=1)

    def begun() -> WithSamples:
        return WithSamples(stream(Bits(), how), Exact(Exactly()), seed=5)

    undisturbed, interrupted, resumed = begun(), begun(), begun()
    for _ in range(done):
        next(undisturbed), next(interrupted)
    resumed.load_state_dict(interrupted.state_dict())
    for _ in range(5):
        expected, found = next(undisturbed), next(resumed)
        assert torch.equal(expected.inputs, found.inputs)
        assert torch.equal(expected.sampled, found.sampled)


def test_processes_divide_the_samples_of_one() -> None:
    how = TeacherSamples(chains=40, burn_in=2, sweeps=1)
    whole = stream(Bits(), how)
    parts = [stream(Bits(), how).shared(rank, 2) for rank in range(2)]
    for _ in range(5):
        expected, divided = next(whole), [next(part) for part in parts]
        assert torch.equal(torch.cat([each.inputs for each in divided]), expected.inputs)
        assert [each.share for each in divided] == [0.5, 0.5]


def test_own_samples_stand_behind_the_data() -> None:
    data = EpochStream(DATA.train, 20, 0, CPU)
    made = WithSamples(EpochStream(DATA.train, 20, 0, CPU), Exact(Exactly()), seed=0)
    expected, found = next(data), next(made)
    assert torch.equal(found.inputs[:20], expected.inputs.float() / 255)
    assert found.sampled.tolist() == [False] * 20 + [True] * 20
    assert set(found.inputs.unique().tolist()) == {0.0, 1.0}
    assert found.targets is found.index is None
    assert made.fresh
    assert len(made) == len(data)


def test_alone_the_student_learns_from_as_many_data() -> None:
    alone = TeacherSamples(epoch_size=5000).alone()
    assert isinstance(alone, TrainingSet)
    assert alone.passes(DATA) * len(DATA.train) == pytest.approx(5000, abs=len(DATA.train) / 2)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="this teacher cannot be sampled"):
        stream(object(), TeacherSamples())
    with pytest.raises(UserError, match="these data have classes; use dataset=binarised"):
        TeacherSamples().check(Digits(0, 0).load())
    for key, value in {"chains": 0, "sweeps": 0, "epoch_size": 0, "burn_in": -1}.items():
        with pytest.raises(ValueError, match=f"{key} must be >= "):
            TeacherSamples(**{key: value})
