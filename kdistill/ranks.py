"""The processes of one run: which of them this is, and what they tell each other.

Everything here does nothing, at no cost, where a run has one process.
"""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")
PATIENCE = timedelta(days=7)  # one process may wait long for a teacher that another run trains


def launched() -> bool:
    """Whether torchrun (or whoever sets its variables) started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def join() -> None:
    """Meet the other processes; once is enough. CPU tensors go by gloo, CUDA tensors by NCCL."""
    if launched() and not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)


def world() -> int:
    """How many processes the run has."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is the process that writes the files."""
    return rank() == 0


def talks() -> bool:
    """Whether this process talks to the user, known before `join` as well."""
    return not launched() or os.environ["RANK"] == "0"


def agree(value: Value) -> Value:
    """The value of the first process, in all of them; every process must call this."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def decided(decide: Callable[[], Value]) -> Value:
    """What `decide` says in the first process, which alone calls it."""
    return agree(decide() if first() else None)  # type: ignore[return-value]


def gathered(value: Value) -> list[Value]:
    """The values of all processes, in the order of their ranks."""
    if world() == 1:
        return [value]
    box: list[Any] = [None] * world()
    dist.all_gather_object(box, value)
    return box


def follow(tensors: Iterable[Tensor]) -> None:
    """Let `tensors` be those of the first process everywhere, in place."""
    if world() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def total(values: Tensor) -> Tensor:
    """The sum of `values` (on the CPU) over the processes."""
    if world() > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values


def part(count: int) -> slice:
    """This process's share of `count` things in order; some processes may get one more."""
    return slice(count * rank() // world(), count * (rank() + 1) // world())
