"""Streams: order and keys from (seed, epoch) alone, both paths alike, resume to the bit."""

import gc
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.data.augmentation import Shift
from kdistill.data.batch import Batch, Examples, Stream
from kdistill.data.loader import LoaderStream
from kdistill.data.randomness import sample_keys
from kdistill.data.streams import EpochStream, in_order
from kdistill.data.tree import Tree
from kdistill.errors import UserError

CPU = torch.device("cpu")
N = 23
PICTURES = torch.randint(0, 256, (N, 1, 5, 5), dtype=torch.uint8)
LABELS = torch.arange(N) % 4
INDEX = torch.arange(N) * 3 + 100


class Shelf:
    """A reader over PICTURES."""

    def __init__(self, broken: int | None = None) -> None:
        self.broken = broken

    def __len__(self) -> int:
        return N

    def __getitem__(self, row: int) -> Tensor:
        if row == self.broken:
            raise UserError("cat.png: not an image")
        return PICTURES[row]


def _examples(inputs: Tensor | Shelf = PICTURES, workers: int = 0) -> Examples:
    return Examples(inputs, LABELS, INDEX, workers=workers)


def _take(stream: Stream, count: int) -> list[Batch]:
    return list(islice(stream, count))


def _equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(vars(one)[name], vars(other)[name])
        for one, other in zip(first, second, strict=True)
        for name in ("inputs", "targets", "index", "key")
    )


def _indices(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.index for batch in batches if batch.index is not None]).tolist()


def test_an_epoch_has_every_example_once_with_its_own_label() -> None:
    stream = EpochStream(_examples(), 5, 0, CPU)
    batches = _take(stream, len(stream))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(_indices(batches)) == INDEX.tolist()
    for batch in batches:
        assert batch.index is not None
        row = (batch.index - 100) // 3
        assert torch.equal(batch.inputs, PICTURES[row])
        assert torch.equal(batch.targets, LABELS[row])
        assert torch.equal(batch.key, sample_keys(0, 0, batch.index))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    stream = EpochStream(_examples(), 5, 1, CPU)
    first, second = _take(stream, 5), _take(stream, 5)
    assert _indices(first) != _indices(second)
    later = EpochStream(_examples(), 5, 1, CPU)
    later.load_state_dict({"epoch": 1, "position": 0})
    torch.manual_seed(5)
    assert _equal(_take(later, 5), second)
    assert _indices(_take(EpochStream(_examples(), 5, 2, CPU), 5)) != _indices(first)
    other_size = _take(EpochStream(_examples(), 4, 1, CPU), 6)
    assert _indices(other_size) == _indices(first)


def test_orders_are_uniform() -> None:
    stream = EpochStream(_examples().take(torch.arange(3)), 3, 0, CPU)
    orders = [tuple(_indices([batch])) for batch in _take(stream, 1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 145  # expected 200 each, deviation 13


@pytest.mark.parametrize("workers", [0, 2])
def test_a_reader_gives_the_same_batches_as_resident_inputs(workers: int) -> None:
    def stream(inputs: Tensor | Shelf, workers: int = 0) -> EpochStream:
        return EpochStream(_examples(inputs, workers), 5, 3, CPU, [Shift(1)])

    state = torch.get_rng_state()
    read = _take(stream(Shelf(), workers), 12)
    assert torch.equal(torch.get_rng_state(), state)  # nothing drawn from the global generator
    assert _equal(read, _take(stream(PICTURES), 12))


@pytest.mark.parametrize("inputs", [PICTURES, Shelf()])
@pytest.mark.parametrize("done", [0, 3, 5, 7])
def test_a_restored_stream_goes_on_to_the_bit(inputs: Tensor | Shelf, done: int) -> None:
    stream = EpochStream(_examples(inputs), 5, 3, CPU, [Shift(1)])
    _take(stream, done)
    restored = EpochStream(_examples(inputs), 5, 3, CPU, [Shift(1)])
    _take(restored, 2)
    restored.load_state_dict(stream.state_dict())
    assert _equal(_take(restored, 12), _take(stream, 12))
    assert restored.state_dict() == stream.state_dict()


def test_augmented_streams_are_fresh_and_change_by_epoch() -> None:
    assert not EpochStream(_examples(), 5, 0, CPU).fresh
    stream = EpochStream(_examples(), N, 0, CPU, [Shift(1)], shuffle=False)
    assert stream.fresh
    first, second = _take(stream, 2)
    assert not torch.equal(first.inputs, second.inputs)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("inputs", [PICTURES, Shelf()])
def test_in_order_is_in_order(inputs: Tensor | Shelf, workers: int) -> None:
    batches = list(in_order(_examples(inputs, workers), 10, CPU))
    assert [len(batch) for batch in batches] == [10, 10, 3]
    assert _indices(batches) == INDEX.tolist()
    assert torch.equal(torch.cat([batch.inputs for batch in batches]), PICTURES)
    assert list(in_order(_examples().take(torch.arange(0)), 10, CPU)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_a_readers_error_stays_one_line(workers: int) -> None:
    with pytest.raises(UserError, match=r"^cat.png: not an image$"):
        list(in_order(_examples(Shelf(broken=12), workers), 5, CPU))


def test_unlabelled_examples_have_no_labels() -> None:
    stream = EpochStream(Examples(PICTURES, None, INDEX), 5, 0, CPU)
    assert next(stream).targets is None


def test_what_cannot_be_streamed_is_refused() -> None:
    with pytest.raises(UserError, match="no examples"):
        EpochStream(_examples().take(torch.arange(0)), 5, 0, CPU)
    with pytest.raises(ValueError, match="batch_size must be >= 1, got 0"):
        EpochStream(_examples(), 0, 0, CPU)


def _loader() -> torch.utils.data.DataLoader[tuple[Tensor, ...]]:
    pairs = torch.utils.data.TensorDataset(PICTURES, LABELS)
    return torch.utils.data.DataLoader(pairs, batch_size=10)


def test_a_users_loader_becomes_an_endless_stream_with_new_keys() -> None:
    stream = LoaderStream(_loader(), CPU, 4)
    assert len(stream) == 3
    assert stream.fresh
    batches = _take(stream, 6)
    assert torch.equal(torch.cat([batch.inputs for batch in batches]), PICTURES.repeat(2, 1, 1, 1))
    assert torch.equal(torch.cat([batch.targets for batch in batches]), LABELS.repeat(2))  # type: ignore[misc]
    keys = torch.cat([batch.key for batch in batches])  # type: ignore[misc]
    assert len(keys.unique()) == 2 * N
    assert batches[0].index is None


NAMED = {"picture": PICTURES, "place": INDEX}


class NamedShelf(Shelf):
    """A reader over NAMED."""

    def __getitem__(self, row: int) -> Tree:  # type: ignore[override]
        return {name: tensor[row] for name, tensor in NAMED.items()}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    ("inputs", "workers"),
    [(NAMED, 0), (NamedShelf(), 0), (NamedShelf(), 2)],
    ids=["tensors", "reader", "workers"],
)
def test_inputs_with_names_come_as_each_would_alone(
    inputs: Tree | Shelf, workers: int, name: str
) -> None:
    def parts(inputs: Tree | Shelf, workers: int = 0) -> list[Batch]:
        examples = Examples(inputs, LABELS, INDEX, workers=workers).take(torch.arange(3, 20))
        stream = EpochStream(examples, 5, 3, CPU).shared(0, 2)
        return [*_take(stream, 5), *in_order(examples, 6, CPU)]

    several = parts(inputs, workers)
    named = [replace(batch, inputs=batch.inputs[name]) for batch in several]
    assert _equal(named, parts(NAMED[name]))
    assert [len(batch) for batch in several] == [len(batch) for batch in named]


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_a_mask_goes_with_its_example_and_says_what_each_process_shares(world: int) -> None:
    mask = torch.rand(N, 3, generator=torch.Generator().manual_seed(0)) < INDEX[:, None] / 200
    mask[:9] = False
    examples = Examples(PICTURES, LABELS, INDEX, mask=mask)
    streams = [EpochStream(examples, 4, 3, CPU).shared(rank, world) for rank in range(world)]
    for _ in range(2 * len(streams[0])):
        parts = [next(stream) for stream in streams]
        for part in parts:
            assert torch.equal(part.mask, mask[(part.index - 100) // 3])
        weights = [int(part.weight) for part in parts]
        whole = max(sum(weights), 1)
        assert [part.share for part in parts] == pytest.approx([each / whole for each in weights])
    assert torch.equal(torch.cat([batch.mask for batch in in_order(examples, 4, CPU)]), mask)


def test_a_loader_may_yield_inputs_with_names() -> None:
    batch = next(LoaderStream([(NAMED, LABELS)], CPU, 4).shared(1, 2))
    assert torch.equal(batch.inputs["place"], INDEX[N // 2 :])
    assert torch.equal(batch.targets, LABELS[N // 2 :])
    assert next(LoaderStream([NAMED], CPU, 4)).targets is None


def test_a_users_loader_resumes_after_the_batches_done() -> None:
    stream = LoaderStream(_loader(), CPU, 4)
    _take(stream, 4)
    restored = LoaderStream(_loader(), CPU, 4)
    restored.load_state_dict(stream.state_dict())
    for _ in range(4):
        expected, got = next(stream), next(restored)
        assert torch.equal(got.inputs, expected.inputs)
        assert torch.equal(got.key, expected.key)


def test_a_loader_may_yield_inputs_alone_but_nothing_stranger() -> None:
    for item in (PICTURES, [PICTURES]):
        assert next(LoaderStream([item], CPU, 4)).targets is None
    for item in ({"x": 1}, (PICTURES, LABELS, LABELS), ()):
        with pytest.raises(UserError, match=f"got {type(item).__name__}"):
            next(LoaderStream([item], CPU, 4))
    with pytest.raises(UserError, match="empty"):
        next(LoaderStream([], CPU, 4))


class Endless(torch.utils.data.IterableDataset[Tensor]):
    def __iter__(self) -> Iterator[Tensor]:
        return iter(PICTURES)


def test_a_loader_without_a_length_is_refused() -> None:
    for loader in (iter([PICTURES]), torch.utils.data.DataLoader(Endless())):
        with pytest.raises(UserError, match="no length; give its data set a __len__"):
            LoaderStream(loader, CPU, 4)


@pytest.mark.parametrize("labels", [LABELS.double(), LABELS.to(torch.int16), LABELS.tolist()])
def test_whole_numbers_of_any_kind_are_labels(labels: Any) -> None:
    batch = next(LoaderStream([(PICTURES.double() / 255, labels)], CPU, 4))
    assert torch.equal(batch.targets, LABELS)  # type: ignore[arg-type]
    assert batch.inputs.dtype == torch.float32


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS + 0.7, "must be whole numbers, one is 0.7"),
        (torch.full((N,), torch.nan), "must be whole numbers, one is nan"),
        (torch.nn.functional.one_hot(LABELS, 4).float(), r"\[23, 4\]; .*argmax"),
        (torch.nn.functional.one_hot(LABELS, 4), r"shape \[23\], one for each input"),
        (LABELS + 1, r"\[3\] is 4, but 4 classes"),
        (LABELS - 1, r"\[0\] is -1; labels are >= 0"),
        (LABELS[:5], r"shape \[23\], one for each input"),
        (["cat"] * N, "must be numbers"),
    ],
)
def test_labels_that_a_loader_cannot_mean_are_refused(labels: Any, said: str) -> None:
    stream = LoaderStream([(PICTURES, LABELS), (PICTURES, labels)], CPU, 4)
    next(stream)
    with pytest.raises(UserError, match=f"^the loader's batch 1: labels.*{said}"):
        next(stream)


def test_a_dropped_stream_ends_its_workers_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        stream = EpochStream(_examples(Shelf(), workers=2), 5, 0, CPU)
        next(stream)
        assert len(multiprocessing.active_children()) == 2
        del stream
        assert multiprocessing.active_children() == []
    finally:
        gc.enable()


def test_a_part_keeps_its_workers() -> None:
    assert _examples(Shelf(), workers=2).take(torch.arange(3)).workers == 2


def test_batches_in_order_may_be_changed_in_place() -> None:
    before = PICTURES.clone()
    for batch in in_order(_examples(), 10, CPU):
        batch.inputs.zero_()
    assert torch.equal(PICTURES, before)


def test_a_lone_last_example_joins_the_batch_before() -> None:
    examples = Examples(torch.arange(9.0)[:, None], None, torch.arange(9))
    for size, expected in ((4, [4, 5]), (3, [3, 3, 3]), (2, [2, 2, 2, 3]), (1, [1] * 9), (20, [9])):
        stream = EpochStream(examples, size, 0, torch.device("cpu"))
        batches = [next(stream) for _ in range(len(stream))]
        assert [len(batch) for batch in batches] == expected
        assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(9))
