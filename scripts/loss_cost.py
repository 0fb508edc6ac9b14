"""What a step costs by loss: python scripts/loss_cost.py. Prints the table of docs/losses.md.

A step is the student's forward pass, the loss and backward, on 784 inputs and 10 classes, in
CPU milliseconds of one thread: the least of several.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.randomness import sample_keys
from kdistill.engine.objective import Objective
from kdistill.losses.derivative_matching import DerivativeMatching
from kdistill.losses.loss import Loss
from kdistill.losses.noisy_logits import NoisyLogits
from kdistill.losses.soft_targets import SoftTargets
from kdistill.models.mlp import MLP
from kdistill.signals.ask import ask

TIMES = 15
STUDENTS = (([50, 30], 20), ([800, 800], 128))  # widths, batch size


def milliseconds(step: Callable[[], Tensor]) -> float:
    """The least CPU time of `step` and its backward pass."""
    took = []
    for _ in range(TIMES):
        started = time.process_time()
        step().backward()
        took.append(time.process_time() - started)
    return 1000 * min(took)


def cost(student: nn.Module, loss: Loss, batch: Batch) -> float:
    """Of one step, the teacher's answers at hand."""
    with torch.no_grad():
        taught = ask(student, batch, loss.teacher_needs)
    objective = Objective(student, loss)
    return milliseconds(lambda: objective(batch, taught)["total"])


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    exact, sloped = DerivativeMatching(), DerivativeMatching(exact=False)
    print(
        "| student, batch | soft targets | noisy logits | along a direction | exact, autograd",
        end="",
    )
    print(" | exact, closed form |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for widths, size in STUDENTS:
        model = MLP(widths, (784,), 10)
        automatic = nn.Sequential(model)  # not seen to be an MLP: no closed form
        rows = torch.arange(size)
        batch = Batch(torch.rand(size, 784), rows % 10, index=rows, key=sample_keys(0, 0, rows))
        tried = [(model, SoftTargets()), (model, NoisyLogits()), (model, sloped)]
        tried += [(automatic, exact), (model, exact)]
        figures = " | ".join(f"{cost(*each, batch):.3g}" for each in tried)
        print(f"| {'-'.join(map(str, widths))}, {size} | {figures} |")


if __name__ == "__main__":
    main()
