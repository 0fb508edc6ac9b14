"""Training speed beside the usual loop, side by side in one process: python scripts/benchmark.py.

Teachers 784-1200-1200-10, student 784-800-800-10, batch 128, SGD, images as MNIST's. "usual" is
what most distillation scripts do: a DataLoader over a per-item data set, and every teacher asked
at every step. Preparing (asking the teachers once) is inside kdistill's clock.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from kdistill.data.batch import Examples
from kdistill.data.streams import EpochStream
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.events import silent
from kdistill.losses.soft_targets import SoftTargets
from kdistill.models.mlp import MLP
from kdistill.models.network import Network
from kdistill.signals.store import StoredAnswers
from kdistill.teachers.ensemble import Combined
from kdistill.teachers.frozen import Frozen
from kdistill.teachers.teacher import freeze

BATCH, TEMPERATURE, HARD = 128, 4.0, 0.1
LOGITS = frozenset({"logits"})


class PerItem(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """What torchvision's MNIST with ToTensor costs, without the download."""

    def __init__(self, examples: Examples) -> None:
        self.images, self.labels = examples.inputs, examples.labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[row].float().div(255), self.labels[row]


def usual(teacher: nn.Module, student: nn.Module, examples: Examples, epochs: int) -> None:
    optimizer = torch.optim.SGD(student.parameters(), 0.05, 0.9)
    for _ in range(epochs):
        for images, labels in DataLoader(PerItem(examples), BATCH, shuffle=True):
            with torch.no_grad():
                taught = teacher(images)
            said = student(images)
            p, log_q = (taught / TEMPERATURE).softmax(1), (said / TEMPERATURE).log_softmax(1)
            soft = TEMPERATURE**2 * F.kl_div(log_q, p, reduction="batchmean")
            (soft + HARD * F.cross_entropy(said, labels)).backward()
            optimizer.step()
            optimizer.zero_grad()


def ours(teacher: nn.Module, student: nn.Module, examples: Examples, epochs: int) -> None:
    process = Process("cpu").start()
    frozen = Frozen(teacher)
    frozen.process = process
    answers = StoredAnswers(frozen, None, process.device)
    answers.collect(examples, LOGITS, silent)
    sgd = {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9}
    fit = Fit(epochs, BATCH, sgd)
    stream = EpochStream(examples, BATCH, 0, process.device)
    objective = Objective(student, SoftTargets(TEMPERATURE, HARD))
    fit(objective, stream, answers, process, lambda _: {}, "student", 0, silent)


def network(width: int) -> Network:
    return Network.wrap(MLP([width, width], (1, 28, 28), 10))


def measured(
    train: Callable[[nn.Module, nn.Module, Examples, int], None],
    teacher: nn.Module,
    examples: Examples,
    epochs: int,
    width: int,
) -> float:
    started = time.process_time()
    train(teacher, network(width), examples, epochs)
    return len(examples) * epochs / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12800)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (args.images, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (args.images,), generator=generator)
    examples = Examples(images, labels, torch.arange(args.images))
    usual(network(30), network(30), examples.take(torch.arange(512)), 1)  # torch's own start-up
    print(f"{Process('cpu').start().name}, {args.images} images, {args.epochs} epochs")
    print("teachers  student  usual  kdistill   (training samples per CPU-second)   ratio")
    for members, width in ((1, 800), (5, 800), (1, 30)):
        teacher = freeze(Combined([network(1200) for _ in range(members)], "geometric"))
        speeds = [measured(t, teacher, examples, args.epochs, width) for t in (usual, ours)]
        print(
            f"{members:8}  {width:7}  {speeds[0]:5.0f}  {speeds[1]:8.0f}"
            f"{'':38}{speeds[1] / speeds[0]:5.1f}"
        )


if __name__ == "__main__":
    main()
