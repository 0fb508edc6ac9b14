"""The three estimators of log Z together, on RBMs whose log Z is enumerated."""

import pytest
import torch
from torch import Tensor

from kdistill.measures.annealing import annealed_importance
from kdistill.measures.bridge import bridge
from kdistill.measures.importance import Estimate, importance
from kdistill.models.rbm import RBM

VISIBLE, HIDDEN, SAMPLES = 12, 8, 10_000
STATES = (torch.arange(2**VISIBLE)[:, None] >> torch.arange(VISIBLE) & 1).float()


class Enumerated:
    """An RBM beside the true one, normalised by enumeration: a student that can be sampled."""

    def __init__(self, rbm: RBM) -> None:
        self._rbm = rbm
        self._log_z = rbm.log_partition()
        self._chances = (rbm(STATES) - self._log_z).exp().detach()

    def log_density(self, inputs: Tensor) -> Tensor:
        return self._rbm(inputs).detach() - self._log_z

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return STATES[torch.multinomial(self._chances, count, True, generator=generator)]


def teacher_and_student(scale: float, apart: float) -> tuple[RBM, Enumerated]:
    generator = torch.Generator().manual_seed(0)
    teacher, student = RBM(HIDDEN, (VISIBLE,)), RBM(HIDDEN, (VISIBLE,))
    with torch.no_grad():
        for true, other in zip(teacher.parameters(), student.parameters(), strict=True):
            true.normal_(std=scale, generator=generator)
            other.normal_(std=apart, generator=generator).add_(true)
    return teacher, Enumerated(student)


def estimates(teacher: RBM, student: Enumerated, seed: int) -> dict[str, Estimate]:
    generator = torch.Generator().manual_seed(seed)
    own = student.sample(SAMPLES, generator)
    taught = teacher.gibbs(own, generator, sweeps=20)
    of_own, of_taught = (
        teacher(inputs).detach() - student.log_density(inputs) for inputs in (own, taught)
    )
    return {
        "importance": importance(of_own),
        "bridge": bridge(of_own, of_taught),
        "annealed": annealed_importance(teacher, 200, 100, generator),
    }


@pytest.mark.parametrize(("scale", "apart"), [(0.3, 0.2), (1.0, 0.2)])
def test_each_covers_the_exact_log_z(scale: float, apart: float) -> None:
    teacher, student = teacher_and_student(scale, apart)
    exact, covered = teacher.log_partition(), {"importance": 0, "bridge": 0, "annealed": 0}
    for seed in range(10):
        for name, estimate in estimates(teacher, student, seed).items():
            assert estimate.warning is None
            assert abs(estimate.value - exact) < (0.2 if name == "annealed" else 0.05)
            covered[name] += estimate.low <= exact <= estimate.high
    assert min(covered.values()) >= 9


def test_of_an_untrained_student_only_the_annealed_chains_have_a_verdict() -> None:
    """Importance sampling is far too low, and says so; papers know it as 42 in place of 56.84."""
    teacher, _ = teacher_and_student(scale=5.0, apart=0)
    student = Enumerated(RBM(HIDDEN, (VISIBLE,)))
    got = estimates(teacher, student, seed=0)
    exact = teacher.log_partition()
    assert got["importance"].warning is not None
    assert got["importance"].high is None
    assert got["bridge"].warning is not None
    assert got["bridge"].high is None
    assert got["annealed"].warning is None
    assert got["annealed"].low <= exact <= got["annealed"].high
