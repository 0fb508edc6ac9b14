"""Cost: what a model takes to keep (parameters, bytes) and to ask (multiply-adds, time)."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from kdistill.artifacts.result import Cost, ModelResult
from kdistill.data.spec import Spec, blank
from kdistill.data.tree import Tree, device_of, moved, rows

BATCH_SIZES = (1, 256)
SECONDS = 0.2  # of timing for each batch size; a single slow call may take longer


def cost(
    module: nn.Module,
    inputs: Spec,
    path: Path | None,
    device: torch.device,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> Cost:
    """The Cost of asking `module` about such `inputs` on `device`.

    bytes: of the file at `path`, else of the tensors that would be saved. latency_ms: median time
    of a forward pass for each of `batch_sizes`. Works on a copy in eval mode; `module` stays
    as it was.
    """
    copy = deepcopy(module).to(device).eval()
    one = moved(blank(inputs, 1), device)
    threads = torch.get_num_threads()
    stored = sum(tensor.nbytes for tensor in copy.state_dict().values())
    return Cost(
        parameters=sum(parameter.numel() for parameter in copy.parameters()),
        bytes=path.stat().st_size if path else stored,
        multiply_adds=multiply_adds(copy, one),
        latency_ms={str(size): milliseconds(copy, one, size) for size in batch_sizes},
        latency_setting=f"{threads} thread{'s' * (threads > 1)}, {device.type}",
    )


def multiply_adds(module: nn.Module, one: Tree) -> int | None:
    """Multiply-adds of matrix products, convolutions and attention for `one` input [1, ...].

    Counted on the meta device, where nothing is computed and every operation is known; of a module
    that cannot run there, one whose way depends on its input say, what it takes for `one`. None
    where that cannot be counted either.
    """
    for device in (torch.device("meta"), device_of(one)):
        try:
            return _counted(deepcopy(module).to(device), moved(one, device))
        except Exception:  # a user's own module may raise anything; the run goes on without it
            continue
    return None


def _counted(module: nn.Module, one: Tree) -> int:
    from torch.utils.flop_counter import FlopCounterMode  # seconds to import, and not always asked

    # what it does not count by itself, by the shapes of the operands: NADE adds in place
    more = {torch.ops.aten.addmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1]}
    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=more) as counter:
        module(one)
    return int(counter.get_total_flops()) // 2


def milliseconds(module: nn.Module, one: Tree, size: int) -> float:
    """Median milliseconds of a forward pass on `size` copies of `one` input [1, ...]."""
    # its import warns of a CUDA toolkit on machines without a GPU
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils.benchmark import Timer

    inputs = rows(one, torch.zeros(size, dtype=torch.int64, device=device_of(one)))
    timer = Timer(
        "module(inputs)",
        globals={"module": module, "inputs": inputs},
        num_threads=torch.get_num_threads(),
    )
    with torch.inference_mode():
        return float(timer.blocked_autorange(min_run_time=SECONDS).median) * 1000


def compression(
    teacher: ModelResult | None, student: ModelResult | None
) -> dict[str, float | None]:
    """How many times smaller and faster the student is."""
    big = teacher.cost if teacher else None
    small = student.cost if student else None
    if big is None or small is None:
        return dict.fromkeys(("parameters", "bytes", "multiply_adds", "latency"))
    return {
        "parameters": big.parameters / small.parameters,
        "bytes": big.bytes / small.bytes,
        "multiply_adds": _ratio(big.multiply_adds, small.multiply_adds),
        "latency": big.latency_ms["1"] / small.latency_ms["1"],
    }


def _ratio(big: int | None, small: int | None) -> float | None:
    return big / small if big and small else None
