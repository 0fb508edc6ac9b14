"""Parts: everything that a run is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdistill.data.batch import Dataset
from kdistill.data.randomness import derived
from kdistill.data.transfer import Transfer
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.losses.loss import Loss
from kdistill.models.network import make_network
from kdistill.tasks.task import Task
from kdistill.teachers.teacher import Teacher


@dataclass(frozen=True)
class Parts:
    """`student` is a module, or the config of one."""

    dataset: Dataset
    transfer: Transfer
    teacher: Teacher | None
    student: nn.Module | Mapping[str, Any]
    loss: Loss
    fit: Fit
    task: Task
    process: Process  # started
    name: str
    seed: int
    baseline: bool  # also train the same student without the teacher
    cache: Path | None  # of trained teachers and their answers, shared between runs
    config: Mapping[str, Any] = field(default_factory=dict)  # what the run folder keeps
    save_every: float = 60.0  # s between two resume points, > 0
    repair: str | None = None  # built in where the transfer set lacks classes: students/repair.py


def make_student(parts: Parts) -> nn.Module:
    """The untrained student, the same for the same seed; a module given is used as it is."""
    if isinstance(parts.student, nn.Module):
        return parts.student
    with torch.random.fork_rng():
        torch.manual_seed(student_seed(parts))
        inputs, task = parts.dataset.inputs, parts.task
        return make_network(parts.student, inputs, task.offers(), task.check_model, "student")


def student_seed(parts: Parts) -> int:
    """Of its first weights, its dropout and its order of the data, which are not the teacher's."""
    return derived(parts.seed, "student")
