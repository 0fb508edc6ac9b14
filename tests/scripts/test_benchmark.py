"""Tests of the benchmark: contenders do the same work, and ratios are taken turn by turn."""

from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PEERS = {
    "torchdistill.box": "torchdistill",
    "timm.task": "timm",
    "textbrewer.live": "textbrewer",
    "textbrewer.cached": "textbrewer",
}


@pytest.fixture(autouse=True)
def _scripts_are_importable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(SCRIPTS)


def module(name: str):
    return import_module(f"side_by_side.{name}")


def loss_after(contender: str, precision: str = "fp32") -> float:
    """One batch is the whole data set, so that the order in which it comes does not matter."""
    work = module("work")
    case = module("cases").Case(
        "tiny", "Tiny", 2, ("mlp", 20), ("mlp", 10), work.BATCH, 3, precision
    )
    made = work.make_work(case, seed=1)
    file, name = contender.split(".")
    getattr(module(f"contenders.{file}"), name)(made)
    return work.final_loss(made)


@pytest.mark.parametrize("contender", ["kdistill.stored", "kdistill.live"])
def test_kdistill_does_the_work_of_the_plain_loop(contender):
    assert loss_after(contender) == pytest.approx(loss_after("plain.loop"), rel=1e-5)


@pytest.mark.filterwarnings("ignore")  # a peer's own
@pytest.mark.parametrize("contender", PEERS)
def test_peers_do_the_work_of_the_plain_loop(contender):
    pytest.importorskip(PEERS[contender])
    assert loss_after(contender) == pytest.approx(loss_after("plain.loop"), rel=1e-5)


def test_mixed_precision_is_mixed_for_everybody():
    exact, mixed = loss_after("plain.loop"), loss_after("plain.loop", "bf16")
    assert mixed != exact
    assert mixed == pytest.approx(exact, rel=0.05)
    assert loss_after("kdistill.stored", "bf16") == pytest.approx(mixed, rel=0.01)


def turn(contender: str, seed: int, cpu: float, **more: float) -> dict[str, object]:
    case = {"name": "a", "images": 100, "epochs": 2}
    row = {"kind": "turn", "case": case, "contender": contender, "seed": seed}
    return {**row, "cpu": cpu, "wall": 2 * cpu, "peak": 1.0, "loss": 1.0, **more}


def test_ratio_is_to_the_fastest_live_peer_of_the_same_alternation():
    turns = [
        turn("plain.loop", 0, cpu=10),
        turn("timm.task", 0, cpu=8),
        turn("textbrewer.cached", 0, cpu=2),  # asks its teachers once: not live
        turn("kdistill.stored", 0, cpu=4),
        turn("plain.loop", 1, cpu=20),
        turn("timm.task", 1, cpu=30),
        turn("kdistill.stored", 1, cpu=4),
    ]
    found = {one.contender: one for one in module("figures").compared(turns)}
    ours = found["kdistill.stored"]
    assert (ours.cpu_ratio.low, ours.cpu_ratio.mean, ours.cpu_ratio.high) == (2, 3.5, 5)
    assert ours.cpu.mean == 200 / 4
    assert ours.wall.mean == 200 / 8
    assert found["timm.task"].cpu_ratio.high == 1


def test_loop_on_labels_is_compared_without_the_asking():
    turns = [
        turn("kdistill.labels", 0, cpu=10),
        turn("kdistill.stored", 0, cpu=16, asking_cpu=5, asking=10),
    ]
    found = module("figures").loops(turns)
    assert found.cpu.mean == pytest.approx(1.1)
    assert found.wall.mean == pytest.approx((32 - 10) / 20)
    assert module("figures").loops(turns[:1]) is None


def test_figures_replace_what_stood_between_the_marks_only():
    page = module("page")
    once = page.placed("", "one")
    written = once.replace("# Benchmark", "# Mine") + "\nkept\n"
    again = page.placed(written, "two")
    assert again.startswith("# Mine")
    assert again.endswith("kept\n")
    assert "two" in again
    assert "one" not in again


def test_each_alternation_starts_with_another_contender():
    benchmark = import_module("benchmark")
    orders = [benchmark.turned(("a", "b", "c"), number) for number in range(4)]
    assert orders == [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "b", "c")]
