"""A library user's own module as the teacher: it answers, and nothing about it changes."""

from collections.abc import Callable

import torch
from torch import nn

from kdistill.data.batch import Batch, Dataset
from kdistill.events import Event
from kdistill.signals.signal import ANSWER
from kdistill.teachers.frozen import Frozen
from kdistill.teachers.teacher import Context

LOGITS = frozenset({ANSWER})


def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


def test_it_answers_in_eval_mode_without_gradients(
    context: Callable[..., Context], dataset: Dataset
) -> None:
    network, twin = module().train(), module().eval()
    teacher = Frozen(network)
    teacher.prepare(context())
    inputs = dataset.test.inputs.clone().requires_grad_()
    answer = teacher.answer(Batch(inputs), LOGITS)[ANSWER]
    assert not answer.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(answer, twin(inputs))  # no dropout, running statistics
    assert not any(part.training for part in teacher.network.modules())
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


def test_the_users_own_module_may_be_trained_on_afterwards(
    context: Callable[..., Context],
) -> None:
    network = module().train()
    Frozen(network).prepare(context())
    assert all(part.training for part in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_answering_leaves_its_state_as_it_was(
    context: Callable[..., Context], dataset: Dataset
) -> None:
    teacher = Frozen(module().train())
    teacher.prepare(context())
    teacher.answer(Batch(dataset.test.inputs), LOGITS)
    state, expected = teacher.network.state_dict(), module().state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_it_has_no_name_so_its_answers_are_not_shared(
    context: Callable[..., Context], dataset: Dataset
) -> None:
    told: list[Event] = []
    teacher = Frozen(module())
    teacher.prepare(context(None, told.append))
    assert teacher.hash is None
    assert teacher.reference() == {"kind": "Sequential", "hash": None}
    assert teacher.trainings(dataset.fingerprint, "fp32", None) == []
    assert list(teacher.members) == []
    assert told == []  # nothing was trained or loaded
