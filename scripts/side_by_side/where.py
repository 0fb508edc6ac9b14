"""Where kdistill's loop spends a step, beside the time of the step's matrix products alone."""

import json
import sys
import time
from collections import defaultdict
from dataclasses import replace
from statistics import median

import torch
from torch import nn

from kdistill.data.streams import EpochStream
from kdistill.engine.objective import Objective
from kdistill.engine.terms import Terms
from kdistill.losses.soft_targets import SoftTargets
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals
from kdistill.signals.store import StoredAnswers
from side_by_side.cases import Case
from side_by_side.contenders import kdistill
from side_by_side.work import BATCH, CLASSES, HARD_WEIGHT, SHAPES, TEMPERATURE, Work, make_work, sgd

ROUNDS, STEPS = 5, 100
LOGITS = frozenset({ANSWER})
Times = dict[str, float]


def spent(case: Case) -> dict[str, object]:
    """CPU milliseconds a step, medians over rounds that take turns: loop, products, parts."""
    case = replace(case, members=1, images=BATCH * STEPS, epochs=1)
    kdistill.stored(make_work(case, 0))  # torch's own start-up
    rounds = [(loop(case), products(case), parts(case)) for _ in range(ROUNDS)]
    loops, products_alone, apart = zip(*rounds, strict=True)
    return {
        "loop": median(loops),
        "products": median(products_alone),
        "parts": {name: median(one[name] for one in apart) for name in apart[0]},
        "parameters": sum(p.numel() for p in make_work(case, 0).student.parameters()),
        "flops": 2 * BATCH * sum(a * b * times for (a, b), times in _layers(case)),
    }


def loop(case: Case) -> float:
    """Of Fit's own loop, answers stored beforehand."""
    work = make_work(case, 0)
    began = time.process_time()
    asking = kdistill.stored(work)["asking_cpu"]
    return (time.process_time() - began - asking) / STEPS * 1e3


def products(case: Case) -> float:
    """Of the products alone: forward, gradients of weights and of inputs, on tensors at hand."""
    layers = [
        (torch.randn(BATCH, a), torch.randn(b, a), torch.randn(BATCH, b))
        for (a, b), _ in _layers(case)
    ]
    began = time.process_time()
    for _ in range(STEPS):
        for depth, (x, weight, gradient) in enumerate(layers):
            x @ weight.T
            gradient.T @ x
            if depth:  # nobody asks for the gradient of the images
                gradient @ weight
    return (time.process_time() - began) / STEPS * 1e3


def parts(case: Case) -> Times:
    """Of each part of a step: the loop of engine/fit.py taken apart, with a clock between."""
    work = make_work(case, 0)
    stream, answers, objective = _made(work)
    optimizer, terms, times = sgd(objective), Terms("student"), defaultdict(float)
    network = objective.student
    for _ in range(STEPS):
        clock = Clock(times)
        batch = next(stream)
        clock.to("batch from the stream")
        said = answers.answer(batch, LOGITS)
        clock.to("stored answers")
        inputs = network.preprocessing(batch.inputs)
        clock.to("preprocessing")
        logits = network.model(inputs)
        clock.to("student forward")
        losses = objective.loss(Signals({ANSWER: logits}), said, batch)
        clock.to("loss")
        losses["total"].backward()
        clock.to("backward, the loss' too")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        clock.to("SGD")
        objective.constrain()
        terms.add(losses, len(batch), optimizer.param_groups[0]["lr"])
        clock.to("bookkeeping")
    return {name: seconds / STEPS * 1e3 for name, seconds in times.items()}


class Clock:
    """Adds CPU-seconds since the last look to a part's."""

    def __init__(self, times: Times) -> None:
        self.times, self.last = times, time.process_time()

    def to(self, part: str) -> None:
        """The part that has just ended."""
        now = time.process_time()
        self.times[part] += now - self.last
        self.last = now


def _made(work: Work) -> tuple[EpochStream, StoredAnswers, Objective]:
    process, examples = kdistill.process_for(work), kdistill.examples_of(work)
    answers = kdistill.asked_once(work, process, examples)
    stream = EpochStream(examples, BATCH, 0, process.device)
    student: nn.Module = kdistill.network(work, work.student)
    return stream, answers, Objective(student.train(), SoftTargets(TEMPERATURE, HARD_WEIGHT))


def _layers(case: Case) -> list[tuple[tuple[int, int], int]]:
    """Each layer's (inputs, outputs), and how many products a step has of it."""
    kind, width = case.student
    sizes = [torch.Size(SHAPES[kind]).numel(), width, width, CLASSES]
    pairs = zip(sizes, sizes[1:], strict=False)
    return [(pair, 3 if depth else 2) for depth, pair in enumerate(pairs)]


def main() -> None:
    """Arguments: {"case": fields of a Case, "threads": n}."""
    told = json.loads(sys.argv[1])
    torch.set_num_threads(told["threads"])
    print(json.dumps(spent(Case(**told["case"]))))


if __name__ == "__main__":
    main()
