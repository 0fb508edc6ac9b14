"""What is measured of densities: known divergences, every log Z, and what the report keeps."""

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Dataset, Examples
from kdistill.data.spec import Array
from kdistill.errors import UserError
from kdistill.measures.importance import Estimate
from kdistill.measures.partition import Found, best
from kdistill.models.rbm import RBM
from kdistill.tasks.density import Density
from kdistill.tasks.task import Bench, Findings

BITS = 6
Judged = Callable[..., Findings]
STATES = (torch.arange(2**BITS)[:, None] >> torch.arange(BITS) & 1).float()


class Known(nn.Module):
    """Any distribution over six bits, as a table of its logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, inputs: Tensor) -> Tensor:
        row = (inputs.flatten(1) @ (2.0 ** torch.arange(BITS))).round().long()
        return self.logits.log_softmax(0)[row]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        chances = self.logits.detach().softmax(0)
        return STATES[torch.multinomial(chances, count, replacement=True, generator=generator)]


@pytest.fixture
def rbm() -> RBM:
    torch.manual_seed(0)
    made = RBM(3, (BITS,))
    with torch.no_grad():
        made.weight.normal_(0, 1)
        made.visible_bias.normal_(0, 0.5)
    return made


def log_p(rbm: RBM) -> Tensor:
    """Of every state, normalised."""
    return rbm(STATES).detach().double().log_softmax(0)


@pytest.fixture
def judged(bench: Callable[..., Bench], tmp_path: Path) -> Callable[..., Findings]:
    def judge(
        networks: dict[str, nn.Module],
        test: int = 50,
        change: Callable[[Dataset], Dataset] = lambda dataset: dataset,
        seconds: dict[str, float] | None = None,
        **how: Any,
    ) -> Findings:
        rows = torch.arange(test)
        all_, bits = Examples(STATES[rows % len(STATES)], None, rows), Array((BITS,), below=2)
        none = all_.take(rows[:0])
        dataset = change(Dataset("bits", "memory", "bits", bits, None, (), all_, none, all_))
        counts = {"samples": 4000, "sweeps": 64, "annealed_chains": 100, "temperatures": 300}
        task = Density(**{**counts, **how})
        task.bind(dataset, "teacher" in networks)
        return task.judge(bench(networks, dataset, RunFolder(tmp_path), seconds or {}))

    return judge


def test_divergences_are_those_of_the_tables(judged: Judged, rbm: RBM) -> None:
    torch.manual_seed(1)
    p, q = log_p(rbm), Known(log_p(rbm).float() + 0.5 * torch.randn(2**BITS))
    log_q = q(STATES).detach().double()
    found = judged({"teacher": rbm, "student": q}).models["student"].measures
    for name, first, second in (
        ("kl_teacher_student", p, log_q),
        ("kl_student_teacher", log_q, p),
    ):
        expected, said = float((first.exp() * (first - second)).sum()), found[name]
        low, high = said.interval
        error = 2 * (high - low)  # four standard errors
        assert said.value == pytest.approx(expected, abs=error)
        assert error < 0.1 < expected
        assert said.n == 4000


def test_the_teachers_likelihood_is_that_of_its_table(
    judged: Judged, rbm: RBM, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    found = judged({"teacher": rbm, "student": Known(torch.zeros(2**BITS))})
    models = found.models
    expected = float(log_p(rbm)[:50].mean())
    assert models["teacher"].measures["log_likelihood"].value == pytest.approx(expected, abs=1e-5)
    uniform = models["student"].measures["log_likelihood"]
    assert uniform.value == pytest.approx(-BITS * log(2), abs=1e-5)
    kept = read_tensors(folder.kept("densities"))
    torch.testing.assert_close(kept["teacher"], log_p(rbm)[:50], rtol=0, atol=1e-5)
    shown = read_tensors(folder.kept("samples"))
    assert set(shown) == {"teacher", "student"}
    assert set(shown["teacher"].unique().tolist()) == {0, 255}
    (sheets,) = found.cases
    assert [case.input.picture.tensor for case in sheets.cases] == ["teacher", "student"]
    assert found.curves[0].lines[0].y == pytest.approx(sorted(kept["teacher"].tolist()))


def test_every_means_finds_log_z(judged: Judged, rbm: RBM) -> None:
    student, alone = Known(log_p(rbm).float() + 0.1 * torch.randn(64)), Known(torch.zeros(64))
    networks = {"teacher": rbm, "student": student, "baseline": alone}
    (table,) = judged(networks, seconds={"student": 1000.0, "baseline": 100.0}).tables
    assert "1:" not in table.note
    exact = float(rbm(STATES).detach().double().logsumexp(0))
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == [
        "enumeration",
        "importance, student",
        "bridge, student",
        "importance, student alone",
        "bridge, student alone",
        "annealing",
    ]
    assert rows["enumeration"][0] == pytest.approx(exact, abs=1e-6)
    for value, low, high, *_ in rows.values():
        assert low - 1e-6 <= exact <= high + 1e-6
        assert high - low < 1
        assert value == pytest.approx(exact, abs=0.2)
    narrow, wide = (rows[f"bridge, {name}"] for name in ("student", "student alone"))
    assert narrow[2] - narrow[1] < wide[2] - wide[1]


def test_a_proposal_that_is_the_teacher_knows_log_z_exactly(judged: Judged, rbm: RBM) -> None:
    found = judged({"teacher": rbm, "student": Known(log_p(rbm).float())})
    for row in found.tables[0].rows[1:3]:
        assert row[1] == pytest.approx(float(found.tables[0].rows[0][1]), abs=1e-5)
        assert row[3] - row[2] < 1e-4
    assert found.models["student"].measures["kl_teacher_student"].value == pytest.approx(
        0, abs=1e-5
    )


def test_chains_that_do_not_mix_give_no_confident_number(judged: Judged, rbm: RBM) -> None:
    with torch.no_grad():  # two far modes, all off and all on, of unlike weight
        rbm.weight.fill_(8.0)
        rbm.visible_bias.fill_(-11.9)
        rbm.hidden_bias.fill_(-24.0)
    found = judged({"teacher": rbm, "student": Known(torch.zeros(64))})
    bridge = next(row for row in found.tables[0].rows if row[0] == "bridge, student")
    assert bridge[2] is None
    assert bridge[3] is None
    assert f"{bridge[-1]}: the Gibbs chains do not mix" in found.tables[0].note
    assert ["do not mix" in warning for warning in found.warnings] == [True]
    measures = found.models["student"].measures
    assert measures["kl_teacher_student"].interval is None
    assert measures["kl_student_teacher"].interval is not None


def two_modes(rbm: RBM) -> Tensor:
    """All off and all on, of half the probability each; log p of all states."""
    with torch.no_grad():
        rbm.weight.fill_(4.0)
        rbm.visible_bias.fill_(-6.0)
        rbm.hidden_bias.fill_(-12.0)
    return log_p(rbm)


def test_a_student_that_lacks_a_mode_gives_no_confident_number(judged: Judged, rbm: RBM) -> None:
    """Its weights agree, and chains from its samples stay: it is off by log 2 and cannot know."""
    off = two_modes(rbm).float().masked_fill(STATES.sum(1) > 3, -30.0)
    found = judged({"teacher": rbm, "student": Known(off)})
    exact, imported, bridged, annealed = found.tables[0].rows
    assert exact[-1] == annealed[-1] == ""
    for row in (imported, bridged):
        assert row[1] == pytest.approx(exact[1] - log(2), abs=0.05)
        assert row[2:4] == [None, None]
        assert row[-1] == "1"
    assert "1: it lies below what enumeration and annealing found" in found.tables[0].note
    assert ["lacks part of what the teacher does" in each for each in found.warnings] == [True]
    measures = found.models["student"].measures
    assert measures["kl_teacher_student"].interval is None
    assert measures["kl_student_teacher"].value == pytest.approx(log(2), abs=0.05)
    likelihood = found.models["teacher"].measures["log_likelihood"]
    assert likelihood.value == pytest.approx(float(log_p(rbm)[:50].mean()), abs=1e-5)


def test_such_a_student_is_not_called_better_than_one_that_has_all(
    judged: Judged, rbm: RBM
) -> None:
    log_p = two_modes(rbm).float()
    off = log_p.masked_fill(STATES.sum(1) > 3, -30.0)
    networks = {"teacher": rbm, "student": Known(off), "baseline": Known(log_p)}
    found = judged(networks, main="kl_teacher_student")
    assert (found.gain.closed_gap, found.gain.p_value) == (None, None)


class Block(nn.Module):
    """Fair bits, but for the first six, which are alike: all 1 in a `share` of the samples."""

    def __init__(self, bits: int, share: float) -> None:
        super().__init__()
        self.bits, self.chance = bits, nn.Parameter(torch.tensor(share))

    def forward(self, inputs: Tensor) -> Tensor:
        fair = (self.bits - BITS) * torch.tensor(0.5).log()
        ones = inputs.flatten(1)[:, :BITS].sum(1)
        known = torch.where(ones > BITS / 2, self.chance.log(), (1 - self.chance).log())
        return fair + torch.where((ones == 0) | (ones == BITS), known, -30.0)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(count, self.bits, generator=generator)
        drawn[:, :BITS] = drawn[:, :1] + 0.5 - self.chance.detach()
        return (drawn > 0.5).float()


def test_chains_that_keep_to_one_of_many_bits_modes_are_told(judged: Judged) -> None:
    """Most bits mix, and so does log p~, which both modes share; not so log p~ - log q."""
    rbm = RBM(1, (60,))
    with torch.no_grad():
        rbm.weight.zero_()[:BITS] = 40.0
        rbm.visible_bias[:BITS] = -20.0
        rbm.hidden_bias.fill_(-20.0 * BITS)

    def wider(dataset: Dataset) -> Dataset:
        none = Examples(torch.zeros(0, 60), None, torch.arange(0))
        return replace(dataset, inputs=Array((60,)), train=none, validation=none, test=none)

    networks = {"teacher": rbm, "student": Block(60, 0.1)}
    how = {"main": "kl_teacher_student", "change": wider}
    assert "do not mix" in judged(networks, **how).warnings[0]
    networks = {"teacher": rbm, "student": Block(60, 0.5)}  # starts them where they belong
    assert judged(networks, **how).warnings == []


def test_without_a_verdict_on_log_z_there_is_no_confident_number(
    judged: Judged, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    rbm, seen = RBM(25, (BITS,)), Known(torch.tensor([20.0] + [0.0] * 63))
    with torch.no_grad():  # both sides could be enumerated: see below
        rbm.weight.normal_(0, 2)
    networks = {"teacher": rbm, "student": seen, "baseline": Known(torch.zeros(64))}
    folder, few = RunFolder(tmp_path), {"samples": 100, "annealed_chains": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdistill.measures.partition.ENUMERABLE", 5)
        found = judged(networks, **few)
    assert any("no estimate of log Z is to be trusted" in each for each in found.warnings)
    assert found.models["teacher"].measures["log_likelihood"].interval is None
    assert found.gain.closed_gap is None
    assert set(read_tensors(folder.kept("densities"))) == {"index", "student", "baseline"}


def test_seconds_count_what_each_estimate_needed(judged: Judged, rbm: RBM) -> None:
    """The chains of every bridge begin at the student's samples."""
    student, alone = Known(log_p(rbm).float()), Known(torch.zeros(64))
    networks = {"teacher": rbm, "student": student, "baseline": alone}
    (table,) = judged(networks, seconds={"student": 1000.0, "baseline": 100.0}).tables
    rounded = {row[0]: round(row[5], -2) for row in table.rows}
    assert rounded == {
        "enumeration": 0,
        "importance, student": 1000,
        "bridge, student": 1000,
        "importance, student alone": 100,
        "bridge, student alone": 1100,
        "annealing": 0,
    }


def test_what_is_not_finite_is_said(judged: Judged, rbm: RBM) -> None:
    with torch.no_grad():
        rbm.weight[0, 0] = float("inf")
    with pytest.raises(UserError, match=r"teacher: its log-density of the .* is NaN or infinite"):
        judged({"teacher": rbm, "student": Known(torch.zeros(64))})


def test_validation_is_of_models_that_need_no_constant(judged: Judged, rbm: RBM) -> None:
    def held(dataset: Dataset) -> Dataset:
        return replace(dataset, validation=dataset.test)

    networks = {"teacher": rbm, "student": Known(torch.zeros(64))}
    found = judged(networks, change=held).models
    uniform = -BITS * log(2)
    assert found["student"].validation["log_likelihood"].value == pytest.approx(uniform, abs=1e-5)
    assert found["teacher"].validation == {}


def test_gain_is_over_the_student_alone(judged: Judged, rbm: RBM) -> None:
    torch.manual_seed(2)
    student, alone = (Known(log_p(rbm).float() + s * torch.randn(64)) for s in (0.1, 2.0))
    found = judged({"teacher": rbm, "student": student, "baseline": alone}, 64)
    value = {name: model.measures["log_likelihood"].value for name, model in found.models.items()}
    gap = (value["student"] - value["baseline"]) / (value["teacher"] - value["baseline"])
    assert found.gain.closed_gap == pytest.approx(gap)
    assert found.gain.p_value < 0.05
    assert (found.gain.test, found.gain.measures) == ("paired t-test", ["log_likelihood"])


def test_without_data_and_without_a_teacher(judged: Judged, rbm: RBM, tmp_path: Path) -> None:
    main = {"main": "kl_teacher_student"}
    networks = {"teacher": rbm, "student": Known(torch.zeros(64))}
    found = judged(networks, 0, **main)
    assert [each.value for each in found.models["teacher"].measures.values()] == [0, 0]
    assert set(found.models["student"].measures) == {"kl_teacher_student", "kl_student_teacher"}
    assert found.curves == []
    assert not RunFolder(tmp_path).kept("densities").exists()
    assert judged({"student": Known(torch.zeros(64))}).tables == []


@pytest.mark.parametrize("odd", [0.5, float("nan"), 2.0])
def test_data_that_are_no_bits_are_refused(odd: float) -> None:
    rows, inputs = torch.arange(4), torch.zeros(4, 3)
    inputs[2, 1] = odd
    fine, broken = (Examples(each, None, rows) for each in (torch.zeros(4, 3), inputs))
    dataset = Dataset("bits", "memory", "bits", Array((3,)), None, (), fine, fine, broken)
    with pytest.raises(
        UserError, match=f"the test data of a density must be 0 and 1, they hold {odd:g}"
    ):
        Density().bind(dataset, taught=False)


def test_the_best_estimate_is_none_that_another_refutes() -> None:
    """Where no interval is left: a student without a mode has the most effective samples."""
    low = Estimate(100.0, None, None, 9000.0, "it lies below what annealing found")
    bound = Estimate(111.0, 105.0, None, 2.0, "a few samples carry the estimate")
    found = [Found("importance, student", low, 0.0, lacking=True), Found("annealing", bound, 0.0)]
    assert best(found) is bound
