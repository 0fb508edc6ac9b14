"""Samples of the densities of a run, what each model answers about them, and log Z by them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdistill.data.batch import Examples
from kdistill.data.randomness import derived
from kdistill.data.spec import shape_of
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.measures.annealing import base_odds
from kdistill.measures.mixing import mixing, watched_chains
from kdistill.measures.partition import Found, Proposal, log_partitions
from kdistill.models.abilities import Chain, Samples, Unnormalised
from kdistill.models.network import inner
from kdistill.tasks.task import Bench

NAMES = {"student": "student", "baseline": "student alone"}
Models = Mapping[str, nn.Module]
Log = Mapping[str, Tensor]  # log p(x) [n] by model, float64


@dataclass(frozen=True)
class ModelSamples:
    """Of one model: floats [n, *input], log p(x) of them by model, and what both took."""

    inputs: Tensor
    log: Log
    seconds: float
    warning: str | None = None  # why these are not the teacher's: chains that miss part of it


def densities_of(
    models: Models, examples: Examples, what: str, process: Process
) -> dict[str, Tensor]:
    """log p(x) [n] of `examples` by model, float64 on the CPU, up to the constant that a model
    lacks; nothing where there are none. UserError, saying `what` they are, for NaN or infinity."""
    if not len(examples):
        return {}
    return {
        name: _finite(predict(model, examples, process), name, what)
        for name, model in models.items()
    }


def samples_of(models: Models, bench: Bench, count: int, sweeps: int) -> dict[str, ModelSamples]:
    """`count` of each model; of a teacher without exact ones, by chains of `sweeps` that begin at
    the student's."""
    made = dict[str, ModelSamples]()
    for name in sorted(models, key=["student", "baseline", "teacher"].index):
        model, started, warning = inner(models[name]), time.monotonic(), None
        generator = torch.Generator(bench.process.device)
        generator.manual_seed(derived(bench.seed, f"samples of the {name}"))
        if isinstance(model, Chain):
            start = made["student"].inputs
            inputs, states = watched_chains(model, start, generator, sweeps)
            warning = _unmixed(states, models, bench.process)
        elif isinstance(model, Samples):
            inputs = model.sample(count, generator)
        else:
            raise UserError(f"{name}: has no samples, and a density is measured by them")
        inputs = inputs.view(count, *shape_of(bench.dataset.inputs))
        examples = Examples(inputs, None, torch.arange(count))
        log = densities_of(models, examples, f"samples of the {name}", bench.process)
        made[name] = ModelSamples(inputs, log, time.monotonic() - started, warning)
    return made


def _unmixed(states: Tensor, models: Models, process: Process) -> str | None:
    """Why the teacher's chains, at `states` [records, chains, *input], are not to be trusted.

    Judged by all bits together, by log p~, and by log p~ - log q for each other model: what bridge
    and divergence average, which tells chains apart that a mode of one density holds.
    """
    inputs = states.flatten(0, 1)
    visited = Examples(inputs, None, torch.arange(len(inputs)))
    answers = densities_of(models, visited, "states of the teacher's chains", process)
    log = {name: answer.view(states.shape[:2]) for name, answer in answers.items()}
    teacher = log.pop("teacher")
    return mixing(states.flatten(2), teacher, *(teacher - other for other in log.values()))


def _finite(log_density: Tensor, name: str, what: str) -> Tensor:
    """`log_density` in float64; UserError where a log-density is NaN or infinite."""
    if not log_density.isfinite().all():
        raise UserError(
            f"{name}: its log-density of the {what} is NaN or infinite; lower the learning rate, "
            "or mend the weights that were given"
        )
    return log_density.double()


def partitions(
    models: Models,
    bench: Bench,
    samples: Mapping[str, ModelSamples],
    annealed_chains: int,
    temperatures: int,
) -> list[Found]:
    """log Z of the teacher by every means; nothing where it needs none."""
    teacher = inner(models["teacher"]) if "teacher" in models else None
    if not isinstance(teacher, Unnormalised):
        return []
    spent = {name: bench.seconds.get(name, 0.0) + of.seconds for name, of in samples.items()}
    chains = samples["teacher"].seconds
    proposals = [
        Proposal(
            NAMES[name],
            samples[name].log["teacher"] - samples[name].log[name],
            samples["teacher"].log["teacher"] - samples["teacher"].log[name],
            spent[name],
            chains
            if name == "student"
            else spent["student"] + chains,  # which begin at the student's
        )
        for name in NAMES
        if name in models
    ]
    generator = torch.Generator(bench.process.device)
    generator.manual_seed(derived(bench.seed, "annealing"))
    counts = annealed_chains, temperatures
    data = bench.dataset.train.inputs
    odds = base_odds(data > 0) if isinstance(data, Tensor) and len(data) else None
    return log_partitions(teacher, proposals, *counts, generator, odds, samples["teacher"].warning)
