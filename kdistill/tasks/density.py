"""Density: how well models know the distribution of the data: likelihood, divergences, log Z."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from kdistill.artifacts.result import Gain, Measure, ModelResult
from kdistill.data.arrays import check_bits
from kdistill.data.batch import Dataset, Examples
from kdistill.data.plan import Sweeps
from kdistill.data.spec import Array
from kdistill.errors import UserError
from kdistill.losses.likelihood import Likelihood
from kdistill.measures.density import DIVERGENCES, mean, negative, shifted
from kdistill.measures.importance import Estimate
from kdistill.measures.partition import NORMALISED, Found, best, minus, table
from kdistill.measures.significance import closed_gap, paired_t
from kdistill.models.abilities import Samples
from kdistill.models.density_mixture import DensityMixture
from kdistill.models.network import Network, inner
from kdistill.tasks.density_samples import (
    NAMES,
    Log,
    ModelSamples,
    densities_of,
    partitions,
    samples_of,
)
from kdistill.tasks.shown.cases import samples as sheets_of
from kdistill.tasks.shown.sorted_densities import sorted_densities
from kdistill.tasks.task import Bench, Findings, Task

MAIN = ("log_likelihood", *DIVERGENCES)
LEAST = 40  # annealed chains: half of them must be effective (see annealed_importance)
SHOWN = 40  # samples of each model in the report
TERMS = {
    "Paired t-test p": "Student's t-test on the cases that the main measure is a mean over; it "
    "judges these two trained models, not other seeds",
    "Log-likelihood": "mean log-probability of a test input",
    "KL(p || q)": "mean over samples of p of log p - log q: how much likelihood q loses on what p "
    "does; 0 where both are the same",
    "log Z": "the constant that the teacher's log-probabilities lack, where it is no density of "
    "sum 1",
}


class Density(Task):
    """Figures in nats, each with its 95 % interval.

    main: the measure that decides. samples >= 100: of each model, for the divergences and log Z;
    sweeps >= 8: of the teacher's chains, begun at the student's samples; annealed_chains >= 40,
    temperatures >= 1: of annealed importance sampling, which either being 0 leaves out.
    """

    kind = "density"
    validated = ("nll",)
    needs_targets = False

    def __init__(
        self,
        main: str = "log_likelihood",
        samples: int = 10000,
        sweeps: int = 2000,
        annealed_chains: int = 100,
        temperatures: int = 14500,
    ) -> None:
        if main not in MAIN:
            raise ValueError(f"main must be one of {', '.join(MAIN)}, got {main}")
        for name, value, least in (("samples", samples, 100), ("sweeps", sweeps, 8)):
            if value < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        if annealed_chains != 0 and annealed_chains < LEAST:
            raise ValueError(f"annealed_chains must be 0 or >= {LEAST}, got {annealed_chains}")
        if temperatures < 0:
            raise ValueError(f"temperatures must be >= 0, got {temperatures}")
        self.main, self.samples, self.sweeps = main, samples, sweeps
        self.annealed_chains, self.temperatures = annealed_chains, temperatures

    def bind(self, dataset: Dataset, taught: bool) -> None:
        """Refuses data with classes or of other numbers than bits, and a main figure that they, or
        a run without a teacher, cannot give."""
        if dataset.classes:
            raise UserError(
                "task: a density is measured on data without classes; use dataset=binarised, or "
                "task=classification"
            )
        if not isinstance(dataset.inputs, Array):
            raise UserError("task: a density is of one array, and these inputs are several")
        for part in ("train", "validation", "test"):
            inputs = getattr(dataset, part).inputs
            if not isinstance(inputs, Tensor):
                raise UserError(f"dataset: a density's {part} data must fit into memory")
            check_bits(inputs, f"dataset: the {part} data")
        self.shape = dataset.inputs.shape
        if self.main == "log_likelihood" and not len(dataset.test):
            raise UserError(
                "task.main=log_likelihood: there are no test data; use kl_teacher_student"
            )
        if self.main in DIVERGENCES and not taught:
            raise UserError(
                f"task.main={self.main}: there is no teacher to diverge from; use "
                "task.main=log_likelihood"
            )

    def check_model(self, model: nn.Module, answer: object) -> None:
        """Refuses anything but log-densities [2]."""
        wanted = "log-densities [batch]"
        if not isinstance(answer, Tensor):
            raise UserError(f"must answer with {wanted}, got a {type(answer).__name__}")
        if answer.shape != (2,):
            raise UserError(f"must answer with {wanted}, got {[*answer.shape]} for two inputs")
        if isinstance(model, Network):
            ends = torch.stack([torch.zeros(self.shape), torch.ones(self.shape)])
            seen = model.preprocessing(ends)
            if seen.shape != ends.shape or not torch.equal(seen, ends):
                raise UserError(
                    "must see the inputs of a density as they are, 0 and 1; leave its "
                    "preprocessing null"
                )

    def check_student(self, model: nn.Module, answer: object) -> None:
        """Refuses a student without exact samples too."""
        self.check_model(model, answer)
        if not isinstance(inner(model), Samples):
            raise UserError(
                "a density must have exact samples, sample(count, generator); use nade or made"
            )

    def alone(self) -> Likelihood:
        """The data's likelihood."""
        return Likelihood()

    def together(self, members: Sequence[nn.Module], how: str) -> nn.Module:
        """arithmetic: the mixture."""
        if how != "arithmetic":
            raise UserError(
                f"teacher.combine={how}: the product of densities is not normalised; use "
                "teacher.combine=arithmetic"
            )
        return DensityMixture(members)

    def validate(self, answer: Tensor, examples: Examples) -> dict[str, float]:
        """nll (nats)."""
        return {"nll": -float(answer.double().mean())}

    def judge(self, bench: Bench) -> Findings:
        """Likelihoods, divergences by samples, and log Z; keeps what the report draws:
        log-densities of the test data, and samples."""
        data, process, main = bench.dataset, bench.process, self.main
        models = {name: model for name, model in bench.models.items() if model is not None}
        samples = samples_of(models, bench, self.samples, self.sweeps)
        found = partitions(models, bench, samples, self.annealed_chains, self.temperatures)
        samples = _doubted(samples, found)
        log_z = best(found) if found else NORMALISED
        tested = densities_of(models, data.test, "test data", process)
        exact = {name: model for name, model in models.items() if name != "teacher" or not found}
        held = likelihoods(densities_of(exact, data.validation, "validation data", process))
        figures = likelihoods(tested)
        if "teacher" in models:
            if "teacher" in figures:
                whole = shifted(figures["teacher"]["log_likelihood"], minus(log_z))
                figures["teacher"] = {"log_likelihood": whole}
            itself = Measure(0.0, self.samples, (0.0, 0.0), "nats", "lower")
            titled = {name: replace(itself, title=title) for name, title in DIVERGENCES.items()}
            figures.setdefault("teacher", {}).update(titled)
            for name in NAMES.keys() & models:
                figures.setdefault(name, {}).update(divergences(name, samples, log_z))
        results: dict[str, ModelResult | None] = dict.fromkeys(("teacher", "student", "baseline"))
        for name in models:
            alone = held.get(name, {})
            results[name] = ModelResult(figures.get(name, {}), bench.cost(name), validation=alone)
        known = _known(tested, log_z)
        _keep(bench, samples, known)
        sheets = {name: min(len(of.inputs), SHOWN) for name, of in samples.items()}
        cases = {"log_likelihood": tested, "kl_teacher_student": _on_teachers(samples)}
        return Findings(
            results,
            _gain(results, main, cases.get(main, {})),
            [table(found)] if found else [],
            terms=TERMS,
            curves=[sorted_densities(known)] if known else [],
            cases=[sheets_of(sheets, "samples")],
            warnings=_warnings(samples, log_z),
        )

    def again(self, bench: Bench) -> dict[str, dict[str, Measure]]:
        """The likelihood of the test data; UserError without test data."""
        models = {name: model for name, model in bench.models.items() if model is not None}
        answers = densities_of(models, bench.dataset.test, "test data", bench.process)
        if not answers:
            raise UserError("evaluate: this run has no test data; its figures come from samples")
        return likelihoods(answers)

    def steps(self) -> list[Sweeps]:
        """The chains of a teacher without exact samples, and annealing."""
        what = f"{self.samples} chains of {self.sweeps} sweeps"
        if annealed := self.annealed_chains * self.temperatures:
            what += f", {self.annealed_chains} annealed in {self.temperatures} steps"
        return [Sweeps("evaluate", what, self.samples * self.sweeps + annealed)]


def likelihoods(answers: Log) -> dict[str, dict[str, Measure]]:
    """Their means by model."""
    return {
        name: {"log_likelihood": mean(answer, "higher", "Log-likelihood")}
        for name, answer in answers.items()
    }


def divergences(
    name: str, samples: Mapping[str, ModelSamples], log_z: Estimate
) -> dict[str, Measure]:
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


def _on_teachers(samples: Mapping[str, ModelSamples]) -> Log:
    """log p(x) by model of the teacher's samples; nothing without a teacher, or where its chains
    miss part of it."""
    whole = "teacher" in samples and not samples["teacher"].warning
    return samples["teacher"].log if whole else {}


def _doubted(
    samples: Mapping[str, ModelSamples], found: Sequence[Found]
) -> dict[str, ModelSamples]:
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


def _warnings(samples: Mapping[str, ModelSamples], log_z: Estimate) -> list[str]:
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


def _known(tested: Log, log_z: Estimate) -> Log:
    """log p(x) of the test data by model, without a teacher whose log Z is not known."""
    known = dict(tested)
    if "teacher" in known and log_z.bounded:
        known["teacher"] = known["teacher"] - log_z.value
    elif "teacher" in known:
        del known["teacher"]
    return known


def _keep(bench: Bench, samples: Mapping[str, ModelSamples], known: Log) -> None:
    sheets = {name: of.inputs[:SHOWN].cpu() * 255 for name, of in samples.items()}
    bench.keep("samples", {name: bits.to(torch.uint8) for name, bits in sheets.items()})
    if known:
        bench.keep("densities", {"index": bench.dataset.test.index, **known})
