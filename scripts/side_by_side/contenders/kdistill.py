"""kdistill through its own stream, store of answers and loop."""

import time

import torch
from torch import nn

from kdistill.data.batch import Examples
from kdistill.data.streams import EpochStream
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.events import silent
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.loss import Loss
from kdistill.losses.soft_targets import SoftTargets
from kdistill.models.network import Network
from kdistill.models.preprocessing import Pixels
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Answers
from kdistill.signals.store import StoredAnswers
from kdistill.tasks.classification import Combined
from kdistill.teachers.frozen import Frozen
from side_by_side.work import (
    BATCH,
    HARD_WEIGHT,
    LEARNING_RATE,
    MOMENTUM,
    TEMPERATURE,
    Work,
)

SGD = {"_target_": "torch.optim.SGD", "lr": LEARNING_RATE, "momentum": MOMENTUM}


def stored(work: Work) -> dict[str, float]:
    """The teachers are asked once about each image, inside the clock."""
    process, examples = process_for(work), examples_of(work)
    wall, cpu = time.perf_counter(), time.process_time()
    answers = asked_once(work, process, examples)
    asking = {"asking": time.perf_counter() - wall, "asking_cpu": time.process_time() - cpu}
    _fit(work, examples, SoftTargets(TEMPERATURE, HARD_WEIGHT), answers, process)
    return asking


def live(work: Work) -> None:
    """The teachers are asked every step, as they are when inputs are varied each epoch."""
    process = process_for(work)
    loss = SoftTargets(TEMPERATURE, HARD_WEIGHT)
    _fit(work, examples_of(work), loss, _teacher(work, process), process)


def labels(work: Work) -> None:
    """The same student without a teacher."""
    _fit(work, examples_of(work), HardLabels(), None, process_for(work))


def asked_once(work: Work, process: Process, examples: Examples) -> StoredAnswers:
    """The teacher's answers about all images, in memory."""
    answers = StoredAnswers(_teacher(work, process), None, process.device)
    answers.collect(examples, frozenset({ANSWER}), silent)
    return answers


def process_for(work: Work) -> Process:
    """The CPU, in the work's precision."""
    return Process("cpu", work.precision, torch.get_num_threads()).start()


def examples_of(work: Work) -> Examples:
    """The images as one resident tensor of bytes."""
    return Examples(work.images, work.labels, torch.arange(len(work.labels)))


def network(work: Work, model: nn.Module) -> Network:
    """The model with the preprocessing that the others do per image."""
    return Network(Pixels(work.mean, work.deviation), model)


def _teacher(work: Work, process: Process) -> Frozen:
    members = [network(work, teacher).eval() for teacher in work.teachers]
    frozen = Frozen(members[0] if len(members) == 1 else Combined(members, "geometric").eval())
    frozen.process = process
    return frozen


def _fit(
    work: Work, examples: Examples, loss: Loss, answers: Answers | None, process: Process
) -> None:
    stream = EpochStream(examples, BATCH, 0, process.device)
    objective = Objective(network(work, work.student), loss)
    fit = Fit(work.epochs, BATCH, SGD)
    fit(objective, stream, answers, process, lambda _: {}, stage="student", seed=0, listener=silent)
