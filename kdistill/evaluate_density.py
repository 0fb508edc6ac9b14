"""Measuring densities beside each other: likelihood, both divergences, and log Z of the teacher."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.records import read_stages
from kdistill.artifacts.result import Gain, Measure, ModelResult
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Examples
from kdistill.data.randomness import derived
from kdistill.data.spec import shape_of
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.evaluate import Findings
from kdistill.measures.annealing import base_odds
from kdistill.measures.cost import cost
from kdistill.measures.density import DIVERGENCES, Density, mean, negative, shifted
from kdistill.measures.importance import Estimate
from kdistill.measures.mixing import mixing, watched_chains
from kdistill.measures.partition import (
    NORMALISED,
    Found,
    Proposal,
    best,
    log_partitions,
    minus,
    table,
)
from kdistill.measures.significance import closed_gap, paired_t
from kdistill.models.network import inner
from kdistill.models.rbm import RBM
from kdistill.parts import Parts

SHOWN = 40  # samples of each model in the report
NAMES = {"student": "student", "baseline": "student alone"}
TERMS = {
    "Paired t-test p": "Student's t-test on the cases that the main measure is a mean over; it "
    "judges these two trained models, not other seeds",
    "Log-likelihood": "mean log-probability of a test input",
    "KL(p || q)": "mean over samples of p of log p - log q: how much likelihood q loses on what p "
    "does; 0 where both are the same",
    "log Z": "the constant that the teacher's log-probabilities lack, where it is no density of "
    "sum 1",
}
Log = Mapping[str, Tensor]  # log p(x) [n] by model, float64


@dataclass(frozen=True)
class Samples:
    """Of one model: floats [n, *input], log p(x) of them by model, and what both took."""

    inputs: Tensor
    log: Log
    seconds: float
    warning: str | None = None  # why these are not the teacher's: chains that miss part of it


def judge_densities(parts: Parts, networks: Mapping[str, nn.Module], folder: RunFolder) -> Findings:
    """Measure `networks` (student, and baseline and teacher where there are), and keep what the
    report draws: log-densities of the test data, and samples."""
    assert isinstance(parts.measure, Density)  # of data without classes: check_domain
    samples = drawn(parts, networks)
    found = partitions(parts, networks, samples, folder)
    samples = _doubted(samples, found)
    log_z = best(found) if found else NORMALISED
    data, process = parts.dataset, parts.process
    tested = said_of(networks, data.test, "test data", process)
    exact = {name: each for name, each in networks.items() if name != "teacher" or not found}
    validated = likelihoods(said_of(exact, data.validation, "validation data", process))
    measures = likelihoods(tested)
    if "teacher" in networks:
        if "teacher" in measures:
            whole = shifted(measures["teacher"]["log_likelihood"], minus(log_z))
            measures["teacher"] = {"log_likelihood": whole}
        itself = Measure(0.0, parts.measure.samples, (0.0, 0.0), "nats", "lower")
        titled = {name: replace(itself, title=title) for name, title in DIVERGENCES.items()}
        measures.setdefault("teacher", {}).update(titled)
        for name in NAMES.keys() & networks:
            measures.setdefault(name, {}).update(divergences(name, samples, log_z))
    models: dict[str, ModelResult | None] = dict.fromkeys(("teacher", "student", "baseline"))
    for name, network in networks.items():
        file = None if name == "teacher" else folder.weights(name)
        spent = cost(network, data.inputs, file, process.device)
        held = validated.get(name, {})
        models[name] = ModelResult(measures.get(name, {}), spent, validation=held)
    _keep(parts, samples, tested, log_z, folder)
    main = parts.measure.main
    cases = {"log_likelihood": tested, "kl_teacher_student": _on_teachers(samples)}
    return Findings(
        models,
        _gain(models, main, cases.get(main, {})),
        [table(found)] if found else [],
        terms=TERMS,
        warnings=_warnings(samples, log_z),
    )


def measured_again(parts: Parts, networks: Mapping[str, nn.Module]) -> dict[str, ModelResult]:
    """The likelihood of the test data under each of `networks`; UserError without test data."""
    said = said_of(networks, parts.dataset.test, "test data", parts.process)
    if not said:
        raise UserError("evaluate: this run has no test data; its figures come from samples")
    return {name: ModelResult(each) for name, each in likelihoods(said).items()}


def said_of(
    networks: Mapping[str, nn.Module], examples: Examples, what: str, process: Process
) -> dict[str, Tensor]:
    """log p(x) [n] of `examples` by model, float64 on the CPU, up to the constant that a model
    lacks; nothing where there are none. UserError, saying `what` they are, for NaN or infinity."""
    if not len(examples):
        return {}
    return {
        name: _finite(predict(network, examples, process), name, what)
        for name, network in networks.items()
    }


def likelihoods(said: Log) -> dict[str, dict[str, Measure]]:
    """Their means by model."""
    return {
        name: {"log_likelihood": mean(each, "higher", "Log-likelihood")}
        for name, each in said.items()
    }


def drawn(parts: Parts, networks: Mapping[str, nn.Module]) -> dict[str, Samples]:
    """`measure.samples` of each model; of a teacher without exact ones, by chains that begin at the
    student's."""
    assert isinstance(parts.measure, Density)
    count, made = parts.measure.samples, dict[str, Samples]()
    for name in sorted(networks, key=["student", "baseline", "teacher"].index):
        model, started, warning = inner(networks[name]), time.monotonic(), None
        generator = torch.Generator(parts.process.device)
        generator.manual_seed(derived(parts.seed, f"samples of the {name}"))
        if isinstance(model, RBM):
            start = made["student"].inputs
            inputs, states = watched_chains(model, start, generator, parts.measure.sweeps)
            warning = _unmixed(states, networks, parts.process)
        else:
            inputs = model.sample(count, generator)  # type: ignore[operator]
        inputs = inputs.view(count, *shape_of(parts.dataset.inputs))
        drawn_now = Examples(inputs, None, torch.arange(count))
        log = said_of(networks, drawn_now, f"samples of the {name}", parts.process)
        made[name] = Samples(inputs, log, time.monotonic() - started, warning)
    return made


def _unmixed(states: Tensor, networks: Mapping[str, nn.Module], process: Process) -> str | None:
    """Why the teacher's chains, at `states` [records, chains, *input], are not to be trusted.

    Judged by all bits together, by log p~, and by log p~ - log q for each other model: what bridge
    and divergence average, which tells chains apart that a mode of one density holds.
    """
    inputs = states.flatten(0, 1)
    visited = Examples(inputs, None, torch.arange(len(inputs)))
    said = said_of(networks, visited, "states of the teacher's chains", process)
    log = {name: each.view(states.shape[:2]) for name, each in said.items()}
    teacher = log.pop("teacher")
    return mixing(states.flatten(2), teacher, *(teacher - each for each in log.values()))


def _finite(said: Tensor, name: str, what: str) -> Tensor:
    """`said` in float64; UserError where a log-density is NaN or infinite."""
    if not said.isfinite().all():
        raise UserError(
            f"{name}: its log-density of the {what} is NaN or infinite; lower the learning rate, "
            "or mend the weights that were given"
        )
    return said.double()


def partitions(
    parts: Parts,
    networks: Mapping[str, nn.Module],
    samples: Mapping[str, Samples],
    folder: RunFolder,
) -> list[Found]:
    """log Z of the teacher by every means; nothing where it needs none."""
    rbm = inner(networks["teacher"]) if "teacher" in networks else None
    if not isinstance(rbm, RBM):
        return []
    assert isinstance(parts.measure, Density)
    trained = {stage.stage: stage.seconds for stage in read_stages(folder.stages)}
    spent = {name: trained.get(name, 0.0) + each.seconds for name, each in samples.items()}
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
        if name in networks
    ]
    generator = torch.Generator(parts.process.device)
    generator.manual_seed(derived(parts.seed, "annealing"))
    counts = parts.measure.annealed_chains, parts.measure.temperatures
    data = parts.dataset.train.inputs
    odds = base_odds(data > 0) if isinstance(data, Tensor) and len(data) else None
    return log_partitions(rbm, proposals, *counts, generator, odds, samples["teacher"].warning)


def divergences(name: str, samples: Mapping[str, Samples], log_z: Estimate) -> dict[str, Measure]:
    """KL(teacher || model) and KL(model || teacher), each on samples of the first; without an
    interval where those are of chains that do not mix."""
    excess = {
        of: mean(samples[of].log["teacher"] - samples[of].log[name], "lower")
        for of in ("teacher", name)
    }
    forward, back = (shifted(each, minus(log_z)) for each in excess.values())
    if samples["teacher"].warning:
        forward = replace(forward, interval=None)
    both = zip(DIVERGENCES.items(), (forward, negative(back)), strict=True)
    return {name: replace(measure, title=title) for (name, title), measure in both}


def _on_teachers(samples: Mapping[str, Samples]) -> Log:
    """log p(x) by model of the teacher's samples; nothing without a teacher, or where its chains
    miss part of it."""
    whole = "teacher" in samples and not samples["teacher"].warning
    return samples["teacher"].log if whole else {}


def _doubted(samples: Mapping[str, Samples], found: Sequence[Found]) -> dict[str, Samples]:
    """The teacher's with a warning where log Z has shown that the student lacks part of it."""
    whole = dict(samples)
    if any(each.lacking and each.by.endswith(f", {NAMES['student']}") for each in found):
        told = (
            "the student lacks part of what the teacher does, which chains that begin at its "
            "samples do not find: its divergence from the teacher is larger than it seems"
        )
        both = "; ".join(filter(None, (whole["teacher"].warning, told)))
        whole["teacher"] = replace(whole["teacher"], warning=both)
    return whole


def _warnings(samples: Mapping[str, Samples], log_z: Estimate) -> list[str]:
    """What makes figures doubtful: of the samples, and of log Z."""
    told = [each.warning for each in samples.values() if each.warning]
    if not log_z.bounded:
        told.append(
            "no estimate of log Z is to be trusted (see the table), and so neither is the "
            "teacher's likelihood nor a divergence"
        )
    return told


def _gain(models: Mapping[str, ModelResult | None], main: str, cases: Log) -> Gain:
    """The gap closed, where the figures have intervals, and a paired t-test over the `cases` that
    the main measure is a mean over."""
    of = {
        name: each.measures[main] for name, each in models.items() if each and main in each.measures
    }
    closed, p_value = None, None
    if len(of) == 3 and all(each.interval for each in of.values()):
        closed = closed_gap(of["baseline"], of["student"], of["teacher"])
    if "baseline" in cases:
        p_value = paired_t(cases["student"].tolist(), cases["baseline"].tolist())
    return Gain(closed, p_value, "paired t-test", [main] if cases else [])


def _keep(
    parts: Parts, samples: Mapping[str, Samples], tested: Log, log_z: Estimate, folder: RunFolder
) -> None:
    shown = {name: each.inputs[:SHOWN].cpu() * 255 for name, each in samples.items()}
    write_tensors(folder.samples, {name: each.to(torch.uint8) for name, each in shown.items()})
    if tested:
        whole = dict(tested)
        if "teacher" in whole and log_z.bounded:
            whole["teacher"] = whole["teacher"] - log_z.value
        elif "teacher" in whole:
            del whole["teacher"]
        write_tensors(folder.densities, {"index": parts.dataset.test.index, **whole})
