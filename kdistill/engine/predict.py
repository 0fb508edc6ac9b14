"""predict(): what a module says of examples, in order, as evaluation and validation use it."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from kdistill.data.batch import Examples
from kdistill.data.streams import in_order
from kdistill.engine.process import Process
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER

BATCH = 512  # one size everywhere: on a CPU the last bit of a logit depends on the batch's shape


def predict(module: nn.Module, examples: Examples, process: Process) -> Tensor:
    """Its answers [n, ...], float32 on the CPU, in eval mode (the module's mode is restored)."""
    training = module.training
    module.eval()
    with torch.no_grad(), process.autocast():
        answers = [ask(module, batch) for batch in in_order(examples, BATCH, process.device)]
    module.train(training)
    return torch.cat([answer[ANSWER].cpu() for answer in answers])


class Validates(Protocol):
    """What judges a model's answers while it is trained; see kdistill.tasks.task."""

    needs_targets: bool  # whether it judges nothing without them
    validated: tuple[str, ...]  # what `validate` returns

    def validate(self, answer: Tensor, examples: Examples) -> dict[str, float]: ...


def validator(
    examples: Examples, task: Validates, process: Process
) -> Callable[[nn.Module], dict[str, float]]:
    """What Fit calls after each epoch: `task.validate`; {} without data it can judge by."""

    def validate(module: nn.Module) -> dict[str, float]:
        if not len(examples) or (examples.targets is None and task.needs_targets):
            return {}
        return task.validate(predict(module, examples, process), examples)

    return validate
