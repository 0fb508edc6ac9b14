"""bind(): before a training, its loss makes what it trains itself."""

from copy import deepcopy
from dataclasses import replace

import torch

from kdistill.data.batch import Examples
from kdistill.data.streams import in_order
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.losses.loss import Shapes
from kdistill.signals.ask import ask
from kdistill.signals.signals import Answers, Signals


def bind(
    objective: Objective, teacher: Answers | None, examples: Examples, process: Process, seed: int
) -> None:
    """Tell the loss what shapes its student and `teacher` answer two of `examples` with.

    The student is asked as a copy, and stays as it is. What the loss draws follows from `seed`.
    """
    loss = objective.loss
    two = replace(examples.take(torch.arange(min(2, len(examples)))), workers=0)
    (batch,) = in_order(two, 2, process.device)
    with torch.random.fork_rng():
        student = deepcopy(objective.student).to(process.device).eval()
        with torch.no_grad():
            answer = ask(student, batch, loss.student_needs)
        needs, taught = loss.teacher_needs, Signals()
        if teacher is not None and needs:
            taught = teacher.answer(batch, needs)
        torch.manual_seed(seed)
        loss.bind(shapes(answer), shapes(taught))


def shapes(answer: Signals) -> Shapes:
    """Of each signal that there is, without the first dimension."""
    return {signal: value.shape[1:] for signal, value in answer.items()}
