"""Half of every batch is of one kind, whatever the share of it in the data."""

from itertools import islice

import pytest
import torch

from kdistill.data.batch import Batch, Examples
from kdistill.data.halves import HalfStream, halves

CPU = torch.device("cpu")


def stream(own: int, rest: int, batch_size: int = 10, seed: int = 0) -> HalfStream:
    """Labels 1 for the own examples, which come first; inputs are their numbers."""
    n = own + rest
    labels = (torch.arange(n) < own).long()
    examples = Examples(torch.arange(n)[:, None].float(), labels, torch.arange(n))
    return HalfStream(examples, labels == 1, batch_size, seed, CPU)


def epoch(given: HalfStream) -> list[Batch]:
    return list(islice(given, len(given)))


@pytest.mark.parametrize(("own", "rest"), [(30, 300), (300, 30), (25, 75)])
def test_every_batch_is_half_own(own: int, rest: int) -> None:
    given = stream(own, rest)
    for batch in epoch(given) + epoch(given):
        assert int(batch.targets.sum()) * 2 == len(batch)


def test_an_epoch_shows_all_of_the_smaller_half_and_others_of_the_larger_each_time() -> None:
    given = stream(own=30, rest=300)
    first, second = (torch.cat([b.index for b in epoch(given)]) for _ in range(2))
    for shown in (first, second):
        assert len(shown) == len(shown.unique()) == 60
        assert torch.equal(shown[shown < 30].sort().values, torch.arange(30))
    assert len(set(first[first >= 30].tolist()) & set(second[second >= 30].tolist())) < 10


def test_it_goes_on_where_it_was() -> None:
    whole = stream(30, 300)
    batches = [batch.index for batch in islice(whole, 17)]
    start = stream(30, 300)
    list(islice(start, 8))
    resumed = stream(30, 300)
    resumed.load_state_dict(start.state_dict())
    rest = [batch.index for batch in islice(resumed, 9)]
    assert all(torch.equal(a, b) for a, b in zip(batches[8:], rest, strict=True))


def test_processes_share_each_batch() -> None:
    whole = [batch.index for batch in epoch(stream(30, 300))]
    parts = [[b.index for b in epoch(stream(30, 300).shared(rank, 2))] for rank in (0, 1)]
    for one, other, both in zip(*parts, whole, strict=True):
        assert torch.equal(torch.cat([one, other]), both)


def test_another_seed_draws_others() -> None:
    one, other = (torch.cat([b.index for b in epoch(stream(30, 300, seed=s))]) for s in (0, 1))
    assert not torch.equal(one, other)


def test_keys_are_those_of_the_examples_whatever_the_batch_size() -> None:
    small, large = epoch(stream(30, 300, batch_size=4)), epoch(stream(30, 300, batch_size=20))
    keys = [
        dict(
            zip(
                *(torch.cat([getattr(b, n) for b in run]).tolist() for n in ("index", "key")),
                strict=True,
            )
        )
        for run in (small, large)
    ]
    assert keys[0] == keys[1]


def test_an_empty_half_is_refused() -> None:
    with pytest.raises(ValueError, match="both halves need examples"):
        stream(0, 10)


def test_rows_are_pairs_of_one_and_the_other() -> None:
    own = torch.tensor([True, False, False, True, False, False])
    pairs = halves(own, seed=1)
    assert pairs.shape == (2, 2)
    assert own[pairs[:, 0]].all()
    assert not own[pairs[:, 1]].any()
