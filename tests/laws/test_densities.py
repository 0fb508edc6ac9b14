"""The laws of runs of densities, over every loss and student of that kind: small, on 8x8 digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json_lines
from kdistill.cli import main
from kdistill.compose import run_config
from kdistill.config.build import build, parameters_of, resolve, to_plain
from kdistill.errors import UserError
from kdistill.events import Event, silent
from kdistill.library import evaluate_run, load
from kdistill.models.network import inner
from kdistill.paths import CONFIG_DIR
from kdistill.report.contents import read

WORDS = [
    *("+experiment=rbm_to_nade", "dataset@dataset.source=digits", "dataset.how=threshold"),
    *(
        "teacher.hidden=8",
        "teacher.sweeps=1",
        "teacher.fit.epochs=4",
        "teacher.fit.optimizer.lr=0.01",
    ),
    *(
        "transfer.chains=200",
        "transfer.burn_in=50",
        "transfer.sweeps=1",
        "transfer.epoch_size=1000",
    ),
    *("student.hidden=12", "fit.epochs=2", "fit.optimizer.lr=0.01", "device=cpu"),
    *("task.samples=200", "task.sweeps=64", "task.annealed_chains=40"),
    *("task.temperatures=50", "save_every=1e-9"),
]
STUDENTS = {
    "nade": ["student.hidden=12", "student.units=relu", "student.order=random"],
    "made": ["student.widths=[30]"],
}
LOSSES = {
    "likelihood": [],
    "density_mixture": [],
    "reverse_kl": [],
    "score_matching": [],
    "squared_log_ratio": ["loss.constant=student"],
}
LIKELIHOOD = {"_target_": "kdistill.losses.likelihood.Likelihood"}
REVERSE = {"_target_": "kdistill.losses.reverse_kl.ReverseKL"}
TERMS = {"ahead": {"weight": 1, "loss": LIKELIHOOD}, "back": {"weight": 0.1, "loss": REVERSE}}
MIXTURE = {"_target_": "kdistill.losses.mixture.Mixture", "terms": TERMS}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))


def config(*words: str) -> dict[str, Any]:
    """WORDS but for those that stand below an option which `words` replace."""
    replaced = tuple(f"{word.partition('=')[0]}{mark}" for word in words for mark in ".@")
    kept = [word for word in WORDS if not word.startswith(replaced)]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [*kept, *words]))


def made(group: str) -> set[str]:
    """Options of a group that are for densities."""
    found = set()
    for path in (CONFIG_DIR / group).glob("[!_]*.yaml"):
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            plain = to_plain(compose(overrides=[f"+{group}={path.stem}"]))[group]
        if group == "student" and "classes" not in parameters_of(resolve(plain["_target_"])):
            found.add(path.stem)
        if group == "loss" and "density" in build(plain).compares:
            found.add(path.stem)
    return found


def test_every_option_is_tried_here() -> None:
    assert made("student") == set(STUDENTS)
    assert made("loss") == {*LOSSES, "contrastive_divergence"}  # which is the RBM's


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.usefixtures("reported")
def test_a_run_is_whole(loss: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    result = run_config(config(f"loss={loss}", *LOSSES[loss]), folder.path, silent)
    losses = [
        line["terms"] for line in read_json_lines(folder.history) if line["stage"] == "student"
    ]
    term = "kl" if loss == "reverse_kl" else "total"
    assert losses[-1][term] < losses[0][term]
    ways = [row[0] for row in result.tables[0].rows]
    assert ways[0] == "enumeration"
    assert ways[-1] == "annealing"
    assert len(ways) == 6
    for name in ("student", "baseline", "teacher"):
        assert result.models[name].measures["log_likelihood"].n == 400
    opened = load(folder.path)
    found = evaluate_run(folder.path)
    for name in ("student", "baseline"):
        stored = result.models[name].measures["log_likelihood"].value
        assert found[name].measures["log_likelihood"].value == pytest.approx(stored, rel=1e-6)
    drawn = inner(opened.student).sample(5, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, 1, 8, 8)
    names = ["teacher", "baseline", "student"]
    assert [line.model for line in result.curves[0].lines] == names
    assert set(read(folder).pictures) == {("samples", name) for name in names}
    page = folder.report_html.read_text(encoding="utf-8")
    assert "Log-likelihoods, sorted" in page
    assert "40 pictures: Teacher" in page
    assert not folder.work.exists()


@pytest.mark.parametrize("loss", ["reverse_kl", "squared_log_ratio"])
def test_own_samples_stand_behind_any_inputs(loss: str, tmp_path: Path) -> None:
    """Data are asked about again and again; what the student draws is new each time."""
    words = [f"loss={loss}", *LOSSES[loss], "transfer=train", "baseline=false"]
    result = run_config(config(*words), tmp_path / "run", silent)
    assert result.signals["mode"] == "live"


@pytest.mark.parametrize("student", STUDENTS)
def test_every_student_learns(student: str, tmp_path: Path) -> None:
    folder, words = RunFolder(tmp_path / "run"), [f"student={student}", *STUDENTS[student]]
    result = run_config(config(*words), folder.path, silent)
    uniform = 64 * torch.tensor(2.0).log().item()
    assert result.models["student"].measures["log_likelihood"].value > -uniform + 5


def test_samples_of_a_run_are_inputs_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A NADE on the digits draws what a classifier is then asked about."""
    folder, file = RunFolder(tmp_path / "nade"), tmp_path / "drawn.safetensors"
    bits = ["dataset=binarised", "dataset@dataset.source=digits", "dataset.how=threshold"]
    parts = ["teacher=none", "student=nade", "student.hidden=12", "loss=likelihood"]
    rest = ["task=density", "task.samples=200", "fit.epochs=1", "device=cpu"]
    where = ["baseline=false", f"hydra.run.dir={folder.path}"]
    assert main(["train", *bits, *parts, *rest, *where]) == 0
    assert main(["sample", str(folder.path), str(file), "--count=300", "--seed=1"]) == 0
    drawn = read_tensors(file)["inputs"]
    assert (drawn.shape, drawn.unique().tolist()) == ((300, 1, 8, 8), [0, 255])
    assert main(["sample", str(folder.path), str(file), "--count=300", "--seed=1", "--grey"]) == 0
    grey = read_tensors(file)["inputs"].float()
    assert len(grey.unique()) > 2
    assert grey.mean().item() == pytest.approx(drawn.float().mean().item(), abs=5)  # of 255
    for words, said in ((["x.npz"], "must end in"), ([str(file), "--count=0"], "must be >= 1")):
        assert main(["sample", str(folder.path), *words]) == 2
        assert said in capsys.readouterr().err
    small = ["dataset=digits", "device=cpu", "teacher.fit.epochs=1", "teacher.model.widths=[20]"]
    asked = ["transfer=unlabelled", f"transfer.path={file}", "loss.hard_weight=0"]
    run = ["fit.epochs=1", "baseline=false", f"hydra.run.dir={tmp_path / 'run'}"]
    assert main(["train", *small, *asked, *run]) == 0
    assert "300 inputs asked" in capsys.readouterr().out
    assert main(["sample", str(folder.path), str(folder.student)]) == 2
    assert "are the run's; name another place" in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "run"), str(file)]) == 2
    assert "is no density" in capsys.readouterr().err


def mixture(*words: str) -> dict[str, Any]:
    """WORDS with two NADEs in place of the RBM."""
    members = ["teacher=nade_mixture", "teacher.members=2", "teacher.model.hidden=8"]
    fit = ["teacher.fit.epochs=4", "teacher.fit.optimizer.lr=0.01", "teacher.fit.batch_size=50"]
    return config(*members, *fit, *words)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "likelihood"])
def test_a_mixture_of_nades_teaches(loss: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    words = [f"loss={loss}", *LOSSES[loss]]
    result = run_config(mixture(*words), folder.path, silent)
    assert result.tables == []  # its constant is known: it is 1
    found = {name: each.measures for name, each in result.models.items() if each}
    assert found["teacher"]["log_likelihood"].value > -64 * torch.tensor(2.0).log().item() + 5
    for name in ("student", "baseline"):
        assert found[name]["kl_teacher_student"].value > 0
        assert found[name]["kl_student_teacher"].value > 0


def test_without_data_there_is_no_baseline(tmp_path: Path) -> None:
    path = tmp_path / "my_rbm.npz"
    np.savez(path, W=np.eye(16, 4), visible_bias=np.zeros(16), hidden_bias=np.zeros(4))
    plain = config("dataset=none", f"teacher.path={path}", "task.main=kl_teacher_student")
    with pytest.raises(UserError, match=r"no training data; set .* baseline=false"):
        run_config(plain, tmp_path / "run", silent)


def test_without_a_teacher_there_is_no_divergence(tmp_path: Path) -> None:
    plain = {**config("transfer=train"), "teacher": None}
    with pytest.raises(UserError, match="kl_teacher_student: there is no teacher to diverge from"):
        run_config(plain, tmp_path / "run", silent)


def test_a_product_of_densities_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"teacher.combine=geometric: the product of densities"):
        run_config(mixture("teacher.combine=geometric"), tmp_path / "run", silent)


class Killed(BaseException):
    """Nothing in the run may mend this."""


class At:
    """A listener that ends the run at its n-th event."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, event: Event) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


SQUARED = {"_target_": "kdistill.losses.squared_log_ratio.SquaredLogRatio"}


@pytest.mark.parametrize("loss", [SQUARED, MIXTURE], ids=["squared_log_ratio", "mixture"])
def test_ended_anywhere_it_goes_on_to_the_same_bytes(
    loss: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chains of the teacher, chains of its training, own samples and running means among it."""
    monkeypatch.setattr("kdistill.engine.resume.SHARE", 1e9)
    plain, told = {**config("cache=false"), "loss": loss}, []
    plain["teacher"]["chains"] = 30
    alone = RunFolder(tmp_path / "alone")
    run_config(plain, alone.path, told.append)
    for share in (0.3, 0.75):
        folder = RunFolder(tmp_path / f"{share}")
        with pytest.raises(Killed):
            run_config(plain, folder.path, At(round(share * len(told))))
        run_config(plain, folder.path, silent)
        for file in ("student", "baseline", "densities", "samples"):
            assert folder.kept(file).read_bytes() == alone.kept(file).read_bytes(), file


def test_a_plan_is_made_without_running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *WORDS]) == 0
    told = capsys.readouterr().out
    assert "RBM" in told
    assert "NADE" in told
    assert "the teacher answers live" not in told  # nothing is asked of it
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["transfer.chains=150"], "transfer.chains must be a multiple of fit.batch_size, got 150"),
        (["dataset=digits"], "task: a density is measured on data without classes"),
        (
            ["task=classification", "task.main=nll"],
            "task: these data have no classes; use task=density",
        ),
        (
            ["dataset=digits", "task=classification", "task.main=nll", "student=mlp"]
            + ["loss=soft_targets", "transfer=train"],
            "teacher: an RBM is a density, and these data have classes",
        ),
        (
            ["teacher=nade_mixture", "teacher.members=1", "teacher.model.hidden=8"]
            + ["loss@teacher.loss=contrastive_divergence"],
            "teacher.loss: it learns from samples of the model, which only teacher=rbm draws",
        ),
        (["loss=soft_targets"], "loss: with this task it must be one of densities"),
        (["transfer=noise"], "transfer: Gaussian noise is not of 0 and 1"),
        (["student=mlp"], "student: kdistill.models.mlp.MLP tells classes apart"),
        (
            ["student._target_=kdistill.models.rbm.RBM", "~student.units", "~student.order"]
            + ["~student.order_seed"],
            "student: a density must have exact samples",
        ),
        (
            ["+student.preprocessing._target_=kdistill.models.preprocessing.Pixels"]
            + ["+student.preprocessing.mean=0.5"],
            "student: .*NADE must see the inputs of a density as they are, 0 and 1",
        ),
        (["loss=reverse_kl", "fit.batch_size=1"], "fit.batch_size: the student's own samples"),
        (["task.annealed_chains=1"], "annealed_chains must be 0 or >= 40, got 1"),
        (
            ["loss=reverse_kl", "device.processes=2", "device.strategy=fsdp"],
            "loss: it samples the student at every step",
        ),
        (["teacher.chains=10", "device.processes=2"], "an RBM's chains that go on"),
    ],
)
def test_what_does_not_fit_is_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as refused:
        run_config(config(*words), tmp_path / "run", silent)
    assert "\n" not in str(refused.value)
