"""A sweep summed up: rows, spreads over seeds, the best by validation, tests paired by seed."""

import csv
import json
import re
from dataclasses import replace
from html import unescape
from io import StringIO
from pathlib import Path
from shutil import rmtree
from statistics import mean, stdev

import pytest
import yaml
from rich.console import Console

from kdistill.artifacts.result import Measure, ModelResult, Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError
from kdistill.measures.significance import paired_t
from kdistill.report.sweep.chart import sweep_charts
from kdistill.report.sweep.csv_table import cell, sweep_csv
from kdistill.report.sweep.summary import Row, Sweep, read_sweep
from kdistill.report.sweep.table import tabulate
from kdistill.report.sweep.terminal import sweep_terminal
from kdistill.report.sweep.values import canonical
from kdistill.report.sweep.write import write_sweep

TEMPERATURES = {  # temperature: (validation errors, test errors) by seed
    1: [(30, 70), (34, 74), (35, 81)],
    4: [(20, 66), (24, 68), (25, 69)],
    20: [(22, 60), (23, 61), (27, 65)],  # best on the test set, not on validation data
}


def measured(value: float, n: int = 1000) -> dict[str, Measure]:
    return {
        "errors": Measure(value, n, None, "count", "lower"),
        "accuracy": Measure(1 - value / n, n, None, "fraction", "higher"),
    }


class Sweeps:
    """Writes jobs into a folder as a sweep leaves them."""

    def __init__(self, folder: Path, result: Result) -> None:
        self.folder, self.result = folder, result

    def begun(self, *words: str, config: dict[str, object] | None = None) -> Path:
        path = self.folder / ",".join(words).replace("/", "_")
        (path / ".hydra").mkdir(parents=True)
        (path / ".hydra/overrides.yaml").write_text(yaml.safe_dump(list(words)))
        if config is not None:
            (path / "config.yaml").write_text(yaml.safe_dump(config))
        return path

    def finished(
        self,
        *words: str,
        seed: int = 0,
        student: float = 60,
        validation: float | None = 20,
        main: str = "errors",
        config: dict[str, object] | None = None,
    ) -> Path:
        path = self.begun(*words, f"seed={seed}", config=config)
        held = measured(validation, 500) if validation is not None else {}
        models = {
            "teacher": ModelResult(measured(50 + seed)),
            "student": ModelResult(measured(student), validation=held),
            "baseline": ModelResult(measured(90 + 2 * seed)),
        }
        replace(self.result, seed=seed, main=main, models=models).write(path / "result.json")
        return path

    def failed(self, *words: str, message: str = "loss became nan") -> Path:
        path = self.begun(*words)
        said = {"message": message, "stage": "student", "step": 17}
        (path / "failed.json").write_text(json.dumps(said))
        return path

    def read(self) -> Sweep:
        return read_sweep(self.folder)


@pytest.fixture
def sweeps(tmp_path: Path, result: Result) -> Sweeps:
    return Sweeps(tmp_path / "mine/sweep", result)


@pytest.fixture
def temperatures(sweeps: Sweeps) -> Sweeps:
    """Three temperatures, three seeds each."""
    for temperature, pairs in TEMPERATURES.items():
        for seed, (validation, student) in enumerate(pairs):
            word = f"loss.temperature={temperature}"
            sweeps.finished(word, seed=seed, student=student, validation=validation)
    return sweeps


def row(sweep: Sweep, *values: str) -> Row:
    (found,) = (row for row in sweep.rows if row.values == values)
    return found


def test_a_row_is_the_mean_and_the_sample_deviation_over_its_seeds(temperatures: Sweeps) -> None:
    sweep = temperatures.read()
    assert sweep.keys == ("loss.temperature",)
    assert [row.values for row in sweep.rows] == [("1",), ("4",), ("20",)]  # by size
    for temperature, pairs in TEMPERATURES.items():
        found = row(sweep, str(temperature))
        for model, values in (
            ("student", [test for _, test in pairs]),
            ("validation", [validation for validation, _ in pairs]),
            ("teacher", [50, 51, 52]),
            ("baseline", [90, 92, 94]),
        ):
            spread = found.spread(model, "errors")
            assert spread is not None
            assert (spread.mean, spread.n) == (mean(values), 3)
            assert spread.deviation == pytest.approx(stdev(values))


def test_the_best_is_chosen_by_validation_even_where_the_test_set_disagrees(
    temperatures: Sweeps,
) -> None:
    sweep = temperatures.read()
    tested = {row.values: row.spread("student", "errors").mean for row in sweep.rows}  # type: ignore[union-attr]
    assert min(tested, key=tested.__getitem__) == ("20",)
    assert sweep.best is row(sweep, "4")
    assert tabulate(sweep).best == 1


def test_a_measure_of_which_more_is_better_has_its_best_at_the_top(sweeps: Sweeps) -> None:
    for width, errors in ((10, 30), (20, 10), (30, 20)):
        sweeps.finished(f"student.width={width}", validation=errors, main="accuracy")
    sweep = sweeps.read()
    assert sweep.best is row(sweep, "20")


def test_without_validation_data_no_row_is_best_and_none_is_tested(sweeps: Sweeps) -> None:
    for temperature in (1, 2):
        sweeps.finished(f"loss.temperature={temperature}", validation=None)
    sweep = sweeps.read()
    laid = tabulate(sweep)
    assert (sweep.best, laid.best) == (None, None)
    assert "validation data" in laid.verdict
    assert "Best against it" not in laid.head
    assert all(sweep.p_value(row) is None for row in sweep.rows)


def test_figures_of_different_test_sets_are_not_ranked(sweeps: Sweeps) -> None:
    sweeps.finished("dataset=mnist")
    other = sweeps.finished("dataset=digits") / "result.json"
    stored = json.loads(other.read_text())
    stored["dataset"]["name"] = "digits"
    other.write_text(json.dumps(stored))
    assert sweeps.read().best is None


def test_the_best_row_is_tested_against_each_other_paired_by_seed(temperatures: Sweeps) -> None:
    temperatures.finished("loss.temperature=20", seed=7, student=1)  # a seed the best lacks
    sweep = temperatures.read()
    best = [test for _, test in TEMPERATURES[4]]
    for temperature in (1, 20):
        other = [test for _, test in TEMPERATURES[temperature]]
        assert sweep.p_value(row(sweep, str(temperature))) == paired_t(best, other)


def test_one_seed_is_no_test_and_the_report_says_so(sweeps: Sweeps) -> None:
    for temperature, validation in ((1, 9), (2, 8)):
        sweeps.finished(f"loss.temperature={temperature}", validation=validation)
    laid = tabulate(sweeps.read())
    assert [cells[-1] for cells in laid.rows] == ["no test", "best"]
    assert any("No test is possible" in note for note in laid.notes)
    assert "±" not in "".join(laid.rows[0])


def test_a_key_that_an_earlier_sweep_did_not_name_comes_from_the_config(sweeps: Sweeps) -> None:
    config = {"loss": {"temperature": 4.0, "hard_weight": 0.1}, "student": {"widths": [30]}}
    sweeps.finished("loss.temperature=4", config=config)
    sweeps.finished("loss.hard_weight=0.5", "student.widths=[8,8]", config=config)
    sweep = sweeps.read()
    assert sweep.keys == ("loss.hard_weight", "student.widths")  # both ran with temperature 4
    assert {row.values for row in sweep.rows} == {("0.1", "[30]"), ("0.5", "[8, 8]")}


def test_an_option_of_a_group_that_was_not_named_comes_from_hydras_notes(sweeps: Sweeps) -> None:
    sweeps.finished("loss=hard_labels")
    path = sweeps.finished(config={"loss": {"_target_": "x", "temperature": 1}})
    noted = {"hydra": {"runtime": {"choices": {"loss": "soft_targets"}}}}
    (path / ".hydra/hydra.yaml").write_text(yaml.safe_dump(noted))
    assert [row.values for row in sweeps.read().rows] == [("hard_labels",), ("soft_targets",)]


def test_a_run_that_two_commands_wrote_otherwise_counts_once(sweeps: Sweeps) -> None:
    for word in ("loss.temperature=4", "loss.temperature=4.0", "+loss.temperature=4e0"):
        sweeps.finished(word)
    (only,) = sweeps.read().rows
    assert only.spread("student", "errors").n == 1  # type: ignore[union-attr]


def test_failed_and_unfinished_jobs_are_told_apart_with_their_message(sweeps: Sweeps) -> None:
    sweeps.finished("loss.temperature=1")
    sweeps.failed("loss.temperature=1", "seed=1")
    sweeps.begun("loss.temperature=1", "seed=2")
    sweeps.failed("loss.temperature=-1", "seed=0", message="temperature must\nbe > 0")
    damaged = sweeps.finished("loss.temperature=2") / "result.json"
    damaged.write_text("{")
    laid = tabulate(sweeps.read())
    assert [cells[:2] for cells in laid.rows] == [
        ["-1", "0, 1 failed"],
        ["1", "1, 1 failed, 1 unfinished"],
        ["2", "0, 1 failed"],
    ]
    assert laid.problems[:2] == [
        "failed: temperature=-1, seed 0: temperature must be > 0 (in student, step 17)",
        "failed: temperature=1, seed 1: loss became nan (in student, step 17)",
    ]
    assert "damaged JSON" in laid.problems[2]
    assert laid.problems[3] == "unfinished: temperature=1, seed 2"
    assert laid.rows[0][-1] == ""  # nothing to test


def test_a_sweep_of_which_every_job_failed_is_summed_up_too(sweeps: Sweeps) -> None:
    sweeps.failed("loss.temperature=-1")
    laid = write_sweep(sweeps.folder)
    assert laid.verdict == "No job is finished."
    assert "loss became nan" in (sweeps.folder / "sweep.html").read_text(encoding="utf-8")


def test_seeds_alone_make_one_row(sweeps: Sweeps) -> None:
    for seed in range(3):
        sweeps.finished("loss.temperature=4", seed=seed, student=60 + seed)
    sweep = sweeps.read()
    assert sweep.keys == ()
    assert sweep.shared == {"loss.temperature": "4"}
    laid = tabulate(sweep)
    assert laid.rows[0][:3] == ["3", "20.0 ± 0.0", "61.0 ± 1.0"]
    assert laid.best is None  # nothing was chosen from


def test_what_holds_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty/.submitit/1").mkdir(parents=True)
    with pytest.raises(UserError, match="empty: holds no runs; give the folder of a sweep"):
        read_sweep(tmp_path / "empty")


def test_the_csv_has_every_measure_of_every_model_in_full(temperatures: Sweeps) -> None:
    temperatures.failed("loss.temperature=4", "seed=9")
    read = list(csv.DictReader(StringIO(sweep_csv(temperatures.read()))))
    assert [line["loss.temperature"] for line in read] == ["1", "4", "20"]
    best = read[1]
    assert (best["finished"], best["failed"], best["best"], best["p_value"]) == ("3", "1", "1", "")
    for model in ("teacher", "student", "baseline", "validation"):
        for name in ("errors", "accuracy"):
            assert best[f"{model}_{name}_n"] == "3"
    values = [1 - test / 1000 for _, test in TEMPERATURES[4]]
    assert float(best["student_accuracy_mean"]) == pytest.approx(mean(values))
    assert float(best["student_accuracy_deviation"]) == pytest.approx(stdev(values))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        *(("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+a", "'+a"), ("-1+cmd|x", "'-1+cmd|x")),
        *(("-0.5", "-0.5"), ("+1e3", "+1e3"), ("[8, 8]", "[8, 8]"), ("a=1", "a=1"), ("", "")),
        *(("\t=1", r"\t=1"), ("\uff1d1", "'\uff1d1"), ("a\nb", r"a\nb")),
    ],
)
def test_a_spreadsheet_computes_nothing(text: str, written: str) -> None:
    assert cell(text) == written


def test_all_forms_print_the_same_table(temperatures: Sweeps) -> None:
    temperatures.failed("loss.temperature=8", "seed=0", message="a <b> | `c`")
    laid = write_sweep(temperatures.folder)
    page = (temperatures.folder / "sweep.html").read_text(encoding="utf-8")
    pasted = (temperatures.folder / "sweep.md").read_text(encoding="utf-8")
    console = Console(width=200, record=True, file=StringIO())
    console.print(sweep_terminal(laid, temperatures.folder / "sweep.html"))
    printed = console.export_text()
    for text in {text for texts in laid.rows for text in texts}:
        assert text in printed
        assert f">{text}</t" in page
        assert text.strip() in pasted
    assert "a &lt;b&gt; | `c`" in page
    assert r"a &lt;b&gt; \| \`c\`" in pasted
    tables = re.findall(r"(?:^\|.*\n)+", pasted, flags=re.MULTILINE)
    assert [len(table.splitlines()) for table in tables] == [2 + len(laid.rows)]


def test_the_page_links_each_run_by_a_path_that_a_browser_follows(sweeps: Sweeps) -> None:
    path = sweeps.finished("a=1#?")
    (path / "report.html").write_text("it")
    write_sweep(sweeps.folder)
    (link,) = re.findall('href="(.*?)"', (sweeps.folder / "sweep.html").read_text("utf-8"))
    assert link == "a%3D1%23%3F%2Cseed%3D0/report.html"


def test_the_curve_of_a_lone_key_has_all_three_models_on_a_logarithmic_axis(
    temperatures: Sweeps,
) -> None:
    (chart,) = sweep_charts(temperatures.read())
    for model, said in (
        ("Student distilled", "75.0 ± 5.6 at 1, 67.7 ± 1.5 at 4, 62.0 ± 2.6 at 20"),
        ("Student alone", "92.0 ± 2.0 at 1, 92.0 ± 2.0 at 4, 92.0 ± 2.0 at 20"),
        ("Teacher", "51.0 ± 1.0 at 1, 51.0 ± 1.0 at 4, 51.0 ± 1.0 at 20"),
    ):
        assert f"{model}: {said}" in chart.alternative
    ticks = [float(x) for x in re.findall(r'xtick_\d+".*?<use [^>]*?x="([\d.]+)"', chart.svg, re.S)]
    first, second, third = ticks[:3]
    assert (second - first) / (third - first) == pytest.approx(0.4628, abs=1e-3)  # log 4 / log 20


def test_two_keys_make_a_line_for_each_value_of_the_other(sweeps: Sweeps) -> None:
    for width in (8, 30):
        for temperature in (1, 2):
            sweeps.finished(f"loss.temperature={temperature}", f"student.widths=[{width}]")
    (chart,) = sweep_charts(sweeps.read())  # widths are lists: no axis for them
    assert chart.title == "Errors over temperature"
    assert "widths=[8]: 60 at 1, 60 at 2. widths=[30]: 60 at 1, 60 at 2" in chart.alternative
    assert "Bands" not in chart.alternative  # of one seed each


def test_the_log_probability_has_a_curve_beside_the_main_measure(sweeps: Sweeps) -> None:
    for temperature in (1, 2):
        path = sweeps.finished(f"loss.temperature={temperature}") / "result.json"
        said = json.loads(path.read_text())
        nll = {**said["models"]["student"]["measures"]["errors"], "value": 0.5 / temperature}
        said["models"]["student"]["measures"]["nll"] = {**nll, "unit": "nats"}
        path.write_text(json.dumps(said))
    charts = sweep_charts(sweeps.read())
    assert [each.title for each in charts] == ["Errors over temperature", "NLL over temperature"]
    assert "0.5000 at 1, 0.2500 at 2" in charts[1].alternative
    ids = [set(re.findall(r'\bid="([^"]+)"', each.svg)) for each in charts]
    assert not ids[0] & ids[1]


WIDTHS = {  # width: temperature: (validation errors, test errors) by seed
    30: {
        1: [(50, 400), (51, 404), (52, 405)],  # 30.3 worse than at 4, and surely
        4: [(30, 370), (31, 373), (32, 375)],
        20: [(40, 377), (41, 370), (42, 380)],  # worse in the mean, not surely
    },
    300: {
        1: [(20, 90), (21, 91), (22, 92)],
        4: [(15, 95), (15, 98), (15, 99)],
        20: [(10, 100), (11, 103), (12, 104)],  # best by validation, surely not on the test set
    },
}


def test_each_setting_is_answered_in_words(sweeps: Sweeps) -> None:
    for width, temperatures in WIDTHS.items():
        for temperature, pairs in temperatures.items():
            for seed, (validation, student) in enumerate(pairs):
                words = f"loss.temperature={temperature}", f"student.widths=[{width}]"
                sweeps.finished(*words, seed=seed, student=student, validation=validation)
    laid = write_sweep(sweeps.folder)
    *said, how = laid.answers
    assert said == [
        "widths=[30]: best at temperature=4 (validation 31.0 ± 1.0); "
        "20 is not told apart from it; 1 is worse.",
        "widths=[300]: best at temperature=20 (validation 11.0 ± 1.0); "
        "1 is better on the test set; 4 cannot be tested.",
    ]
    assert "Holm" in how
    page = unescape((sweeps.folder / "sweep.html").read_text(encoding="utf-8"))
    pasted = (sweeps.folder / "sweep.md").read_text(encoding="utf-8").replace("\\", "")
    for answer in laid.answers:
        assert answer in page
        assert answer in pasted


def test_a_lone_swept_number_is_answered_too(temperatures: Sweeps) -> None:
    """By hand: against 20 the differences are 6, 7, 4: t = 6.42, p = 0.023, by Holm 0.047;
    against 1 they are 4, 6, 12: p = 0.093."""
    assert tabulate(temperatures.read()).answers[0] == (
        "Best at temperature=4 (validation 23.0 ± 2.6); 1 is not told apart from it; "
        "20 is better on the test set."
    )


def test_nothing_is_compared_with_jobs_that_have_no_figures(sweeps: Sweeps) -> None:
    sweeps.finished("loss.temperature=1")
    sweeps.failed("loss.temperature=4")
    assert tabulate(sweeps.read()).answers == []


def test_where_no_number_was_swept_there_is_no_such_answer(sweeps: Sweeps) -> None:
    for loss in ("logits", "soft_targets"):
        sweeps.finished(f"loss={loss}")
    assert tabulate(sweeps.read()).answers == []


def test_lines_far_apart_share_a_logarithmic_axis(sweeps: Sweeps) -> None:
    def heights(*errors: float) -> list[float]:
        for width, value in enumerate(errors):
            for temperature in (1, 2):
                words = f"loss.temperature={temperature}", f"student.widths=[{width}]"
                sweeps.finished(*words, student=value)
        (chart,) = sweep_charts(sweeps.read())
        for path in sweeps.folder.iterdir():
            rmtree(path)
        line = r'd="M [\d.]+ ([\d.]+) \nL [\d.]+ [\d.]+ \n"[^>]*stroke-width: 1.5'
        return sorted({float(height) for height in re.findall(line, chart.svg)})

    first, second, third = heights(80, 160, 640)
    assert (third - second) / (third - first) == pytest.approx(1 / 3, abs=0.01)
    first, second, third = heights(80, 160, 240)
    assert (third - second) / (third - first) == pytest.approx(1 / 2, abs=0.01)


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["1", "1.0", "1e0", 1, 1.0], "1"),
        (["1e-3", "0.001", 0.001], "0.001"),
        (["[8,8]", "[8, 8]", [8, 8.0]], "[8, 8]"),
        (["true", "True", True], "true"),
        (["null", None], "null"),
        (["'a b'", "a b"], "a b"),
        (["{a:1", "{a:1"], "{a:1"),
        (["${x.y}"], "${x.y}"),
        ([""], ""),
    ],
)
def test_equal_values_read_the_same_however_they_were_written(
    texts: list[object], value: str
) -> None:
    assert {canonical(text) for text in texts} == {value}


def test_a_folder_with_a_library_run_needs_no_words_of_hydra(sweeps: Sweeps) -> None:
    path = sweeps.finished("x=1")
    (path / ".hydra/overrides.yaml").unlink()
    (sweeps.folder / "notes").mkdir()
    jobs = [job for row in sweeps.read().rows for job in row.jobs]
    assert [job.folder for job in jobs] == [RunFolder(path)]
