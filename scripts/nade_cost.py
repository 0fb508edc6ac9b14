"""What NADE costs: python scripts/nade_cost.py. Prints a table.

CPU milliseconds of one thread, the least of several, in turns in one process: a training step
(forward and backward of the mean of -log q), a step of score matching (forward and backward of the
squared score) and 100 samples. Inputs are random bits, a share of them 1: 0.13 as in binarised
MNIST, or half of them.
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kdistill.models.nade import NADE

TURNS = 15
SIZES = ((64, 64, 100, 0.13), (784, 500, 20, 0.13), (784, 500, 100, 0.13), (784, 500, 100, 0.5))
Way = Callable[[NADE, Tensor], Tensor]


def indexed(model: NADE, x: Tensor) -> Tensor:
    """As the formula reads. Each W[d] costs its backward pass a gradient of the size of W."""
    drive, logits = model.hidden_bias.expand(len(x), -1), []
    for d in range(x.shape[1]):
        logits.append(drive.sigmoid() @ model.decoder[d] + model.visible_bias[d])
        drive = drive + x[:, d : d + 1] * model.encoder[d]
    return log_density(torch.stack(logits, dim=1), x)


def plain(model: NADE, x: Tensor) -> Tensor:
    """The same loop over the rows, which are then taken apart, and put together, once."""
    drive, logits = model.hidden_bias.expand(len(x), -1), []
    for x_d, w, u in zip(x.T, model.encoder, model.decoder, strict=True):
        logits.append(drive.sigmoid() @ u)
        drive = drive + x_d[:, None] * w
    return log_density(torch.stack(logits, dim=1) + model.visible_bias, x)


def dense(model: NADE, x: Tensor) -> Tensor:
    """All hidden layers [batch, D, hidden] at once, as a cumulative sum."""
    steps = F.pad(x[:, :-1, None] * model.encoder[:-1], (0, 0, 1, 0))
    hidden = (model.hidden_bias + steps.cumsum(dim=1)).sigmoid()
    return log_density((hidden * model.decoder).sum(dim=2) + model.visible_bias, x)


def log_density(logits: Tensor, x: Tensor) -> Tensor:
    """[batch], as NADE computes it."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)


@torch.no_grad()
def plain_samples(model: NADE, count: int) -> None:
    """One position after the other, all hidden units anew."""
    drive = model.hidden_bias.expand(count, -1)
    for w, u, b in zip(model.encoder, model.decoder, model.visible_bias, strict=True):
        x_d = torch.bernoulli((drive.sigmoid() @ u + b).sigmoid())
        drive = drive + x_d[:, None] * w


def milliseconds(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The least CPU time of each, over as many turns."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(TURNS):
        for name, way in ways.items():
            started = time.process_time()
            way()
            least[name] = min(least[name], 1000 * (time.process_time() - started))
    return least


def step(model: NADE, way: Way, x: Tensor) -> Callable[[], object]:
    """One step of maximum likelihood."""
    return lambda: torch.autograd.grad(-way(model, x).mean(), list(model.parameters()))


def score_step(model: NADE, x: Tensor) -> None:
    """One step of score matching, to a score of 0."""
    loss = model.score(x)[1].square().sum(dim=1).mean()
    torch.autograd.grad(loss, list(model.parameters()))


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    titles = ["loop, W[d]", "loop over rows", "**NADE**", "times faster", "dense"]
    titles += ["score matching", "100 samples, loop", "100 samples, **NADE**"]
    print("| bits, hidden, batch | share of 1 |", " | ".join(titles), "|")
    print("| --- " + "| ---: " * (1 + len(titles)) + "|")
    for bits, hidden, batch, share in SIZES:
        torch.manual_seed(0)
        model, generator = NADE(hidden, (bits,)), torch.Generator().manual_seed(0)
        with torch.no_grad():
            model.visible_bias.fill_(torch.tensor(share).logit())  # samples have that share too
        x = (torch.rand(batch, bits) < share).float()
        samples = {
            "loop": lambda model=model: plain_samples(model, 100),
            "NADE": lambda model=model, draw=generator: model.sample(100, draw),
        }
        groups = [
            {str(way): step(model, way, x) for way in (indexed, plain, NADE.forward)},
            {"dense": step(model, dense, x)},  # alone: what it frees slows down its neighbours
            {"score": lambda model=model, x=x: score_step(model, x)},
            samples,
        ]
        took = [each for group in groups for each in milliseconds(group).values()]
        took.insert(3, took[1] / took[2])
        figures = " | ".join(f"{each:.3g}" for each in took)
        print(f"| {bits}, {hidden}, {batch} | {share} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
