"""How often the 3-sigma intervals of log Z hold the truth: python scripts/log_z_coverage.py.

Prints, over SEEDS sampling seeds, what each estimator says of RBMs whose log Z is enumerated: of
one with weak random weights, of one with strong ones, of one so strong that its chains are stuck
(the bridge then says so), and of one trained on the binarised digits of scikit-learn by PCD. The
student is a NADE trained once on the RBM's samples; each seed draws SAMPLES of its own, runs as
many chains from there, and anneals. CPU minutes of one thread: about 6.
"""

import time
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from kdistill.measures.annealing import annealed_importance, base_odds
from kdistill.measures.bridge import bridge
from kdistill.measures.importance import Estimate, importance
from kdistill.measures.mixing import mixing, watched_chains
from kdistill.models.nade import NADE
from kdistill.models.rbm import RBM

SEEDS, SAMPLES, SWEEPS = 100, 1000, 400
CHAINS, TEMPERATURES = 100, 1000
PIXELS, HIDDEN = 64, 16


def random_rbm(deviation: float) -> RBM:
    """Weights and biases N(0, deviation^2)."""
    rbm, generator = RBM(HIDDEN, (PIXELS,)), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(std=deviation, generator=generator)
    return rbm


def digits_rbm(steps: int = 6000) -> RBM:
    """Trained on the 1,797 digits, a pixel of 8 or more a 1, by PCD with 100 chains."""
    images = torch.from_numpy(load_digits().data >= 8).float()
    generator = torch.Generator().manual_seed(0)
    rbm = random_rbm(0.01)
    with torch.no_grad():
        rbm.visible_bias.copy_(base_odds(images))
    optimizer = torch.optim.SGD(rbm.parameters(), lr=0.05)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    chains = images[:100]
    for _ in range(steps):
        batch = images[torch.randint(len(images), (100,), generator=generator)]
        chains = rbm.gibbs(chains, generator)
        optimizer.zero_grad()
        (rbm(chains).mean() - rbm(batch).mean()).backward()
        optimizer.step()
        decay.step()
    return rbm


def student_of(rbm: RBM, steps: int = 3000) -> NADE:
    """A NADE fitted to samples of 500 chains, 100 a step, which go on after five."""
    torch.manual_seed(0)
    nade, generator = NADE(64, (PIXELS,)), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(nade.parameters(), lr=5e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    chains = torch.empty(500, PIXELS).uniform_(generator=generator).round()
    chains = rbm.gibbs(chains, generator, 500)
    for step in range(steps):
        if step % 5 == 0:
            chains = rbm.gibbs(chains, generator, 5)
        optimizer.zero_grad()
        (-nade(chains[step % 5 :: 5]).mean()).backward()
        optimizer.step()
        decay.step()
    return nade


@torch.no_grad()
def said(rbm: RBM, nade: NADE, seed: int) -> Iterator[tuple[str, Estimate, str | None]]:
    """(estimator, its estimate, a warning about the chains that it relies on)."""
    generator = torch.Generator().manual_seed(seed)
    own = nade.sample(SAMPLES, generator)
    taught, states = watched_chains(rbm, own, generator, SWEEPS)

    def ratios(inputs: Tensor) -> Tensor:
        return rbm(inputs) - nade(inputs)

    visited, shape = states.flatten(0, 1), states.shape[:2]
    warning = mixing(states.flatten(2), rbm(visited).view(shape), ratios(visited).view(shape))

    yield "importance", importance(ratios(own)), None
    yield "bridge", bridge(ratios(own), ratios(taught)), warning
    yield "annealed", annealed_importance(rbm, CHAINS, TEMPERATURES, generator), None


def rows(name: str, rbm: RBM) -> Iterator[str]:
    """A line of the table for each estimator."""
    exact, nade = rbm.log_partition(), student_of(rbm)
    kept: dict[str, list[tuple[Estimate, str | None]]] = {}
    for seed in range(SEEDS):
        for estimator, estimate, warning in said(rbm, nade, seed):
            kept.setdefault(estimator, []).append((estimate, warning))
    for estimator, pairs in kept.items():
        sure = [e for e, warning in pairs if not (e.warning or warning)]
        errors = torch.tensor([e.value - exact for e, _ in pairs])
        held = sum(e.low <= exact <= e.high for e in sure)
        half = sum(e.high - e.low for e in sure) / 2 / len(sure) if sure else float("nan")
        effective = torch.tensor([e.effective_samples for e, _ in pairs]).median()
        yield (
            f"| {name} | {exact:.3f} | {estimator} | {errors.mean():+.4f} | {errors.std():.4f} "
            f"| {half:.4f} | {effective:.0f} | {held} of {len(sure)} | {SEEDS - len(sure)} |"
        )


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    started = time.process_time()
    print("| RBM | exact | estimator | mean error | deviation | half width | effective ", end="")
    print("| covered | no verdict |\n| --- | ---: | --- |" + " ---: |" * 6)
    machines = {name: random_rbm(by) for name, by in (("weak", 0.3), ("strong", 2), ("stuck", 4))}
    machines["digits"] = digits_rbm()
    for name, rbm in machines.items():
        for row in rows(name, rbm):
            print(row, flush=True)
    print(f"\n{SEEDS} seeds, {time.process_time() - started:.0f} CPU seconds of one thread")


if __name__ == "__main__":
    main()
