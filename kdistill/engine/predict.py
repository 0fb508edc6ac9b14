"""predict(): a module's logits on examples, in order, as evaluation and validation use them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdistill.data.batch import Examples
from kdistill.data.streams import in_order
from kdistill.engine.process import Process
from kdistill.signals.ask import ask

BATCH = 512  # one size everywhere: on a CPU the last bit of a logit depends on the batch's shape


def predict(module: nn.Module, examples: Examples, process: Process) -> Tensor:
    """Logits [n, classes], float32 on the CPU, in eval mode (the module's mode is restored)."""
    training = module.training
    module.eval()
    with torch.no_grad(), process.autocast():
        answers = [ask(module, batch) for batch in in_order(examples, BATCH, process.device)]
    module.train(training)
    return torch.cat([said.logits.cpu() for said in answers if said.logits is not None])


def validator(
    examples: Examples, score: Callable[[Tensor, Tensor], dict[str, float]], process: Process
) -> Callable[[nn.Module], dict[str, float]]:
    """What Fit calls after each epoch: `score(logits, labels)`; {} without labelled data."""

    def validate(module: nn.Module) -> dict[str, float]:
        if not len(examples) or examples.labels is None:
            return {}
        return score(predict(module, examples, process), examples.labels)

    return validate
