"""One network: trained once whoever asks, named by all it depends on, or loaded from a file."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import write_tensors, write_text
from kdistill.data.batch import Batch, Dataset
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, StageEnded, Warned, silent
from kdistill.signals.signal import ANSWER
from kdistill.tasks.classification import Classification
from kdistill.teachers import network as network_file
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": SGD,
}
NOISE = {"_target_": "kdistill.data.augmentation.Shift", "pixels": 1}
Run = Callable[..., Context]


def teacher(**changes: Any) -> NetworkTeacher:
    return NetworkTeacher(**{"model": MODEL, "loss": LOSS, "fit": FIT, **changes})


def weights(of: NetworkTeacher) -> dict[str, Tensor]:
    return of.network.state_dict()


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def prepared(context: Context, **changes: Any) -> NetworkTeacher:
    made = teacher(**changes)
    made.prepare(context)
    return made


# trained here


def test_training_teaches_it_and_freezes_it(context: Run, dataset: Dataset) -> None:
    made = prepared(context(), fit={**FIT, "epochs": 40})
    inputs, labels = dataset.train.inputs, dataset.train.targets
    logits = made.answer(Batch(inputs), frozenset({ANSWER}))[ANSWER]
    assert (logits.argmax(1) == labels).float().mean() > 0.9  # a third by chance
    assert not logits.requires_grad
    assert not any(part.training for part in made.network.modules())
    assert not any(parameter.requires_grad for parameter in made.network.parameters())


def test_the_caller_draws_the_same_numbers_whether_it_is_built_or_loaded(
    context: Run, tmp_path: Path
) -> None:
    prepared(context(tmp_path))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    prepared(context(tmp_path))
    assert torch.equal(torch.rand(2), expected)


def test_it_is_trained_once_and_reused(context: Run, tmp_path: Path) -> None:
    told: list[Event] = []
    first = prepared(context(tmp_path, told.append))
    assert [type(event) for event in told].count(EpochEnded) == 2
    assert [event.reused for event in told if isinstance(event, StageEnded)] == [False]
    told.clear()
    second = prepared(context(tmp_path, told.append), stage="teacher 1/1")
    assert same(weights(first), weights(second))
    assert first.hash == second.hash
    (ended,) = told
    assert isinstance(ended, StageEnded)
    assert ended.reused
    assert ended.stage == "teacher 1/1"
    assert ended.note.startswith("trained once in")
    assert not any(part.training for part in second.network.modules())


def test_without_a_cache_it_is_trained_again_to_the_same_weights(context: Run) -> None:
    told: list[Event] = []
    one, other = prepared(context(None, told.append)), prepared(context(None, told.append))
    assert [event.reused for event in told if isinstance(event, StageEnded)] == [False, False]
    assert same(weights(one), weights(other))


def test_a_training_that_fails_leaves_nothing_to_reuse(
    context: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(*_: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(network_file, "write_json", power_cut)  # the weights are there by then
        with pytest.raises(RuntimeError, match="power cut"):
            prepared(context(tmp_path))
    told: list[Event] = []
    prepared(context(tmp_path, told.append))
    assert [event.reused for event in told if isinstance(event, StageEnded)] == [False]


def test_damaged_weights_in_the_cache_are_told_and_trained_again(
    context: Run, tmp_path: Path
) -> None:
    made = prepared(context(tmp_path))
    file = tmp_path / "teachers" / str(made.hash) / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    told: list[Event] = []
    again = prepared(context(tmp_path, told.append))
    (warned,) = (event for event in told if isinstance(event, Warned))
    assert str(file) in warned.message
    assert same(weights(again), weights(made))
    told.clear()
    prepared(context(tmp_path, told.append))
    assert [event.reused for event in told if isinstance(event, StageEnded)] == [True]


JOB = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest, test_network

folder, data = Path(sys.argv[2]), conftest.data()
test_network.prepare_slowly(folder / "warm", "up", data, seconds=0)
(folder / "ready").touch()
while not (folder / "go").exists():
    time.sleep(0.002)
test_network.prepare_slowly(folder, "theirs", data, seconds=0.5)
"""


def prepare_slowly(folder: Path, name: str, dataset: Dataset, seconds: float) -> None:
    """With a training that only takes its time, and leaves a file that says it took place."""
    made = teacher()

    def train(_: Context) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.trained").touch()
        time.sleep(seconds)
        made.network.model.output.bias.data.fill_(len(name))

    made._train = train
    process = Process("cpu", "fp32").start()
    task = Classification()
    task.bind(dataset, taught=True)
    made.prepare(Context(dataset, process, task, folder / "cache", silent))
    write_tensors(folder / f"{name}.safetensors", weights(made))


def test_two_processes_side_by_side_train_it_once(dataset: Dataset, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", JOB, Path(__file__).parent, tmp_path]) as job:
        prepare_slowly(tmp_path / "warm up", "ours", dataset, seconds=0)  # imports and all that
        while not (tmp_path / "ready").exists():
            assert job.poll() is None
            time.sleep(0.01)
        (tmp_path / "go").touch()
        prepare_slowly(tmp_path, "ours", dataset, seconds=0.5)
        assert job.wait(timeout=60) == 0
    assert len(list(tmp_path.glob("*.trained"))) == 1
    ours, theirs = (read_tensors(tmp_path / f"{name}.safetensors") for name in ("ours", "theirs"))
    assert same(ours, theirs)


# its name


def name(dataset: Dataset, precision: str = "fp32", **changes: Any) -> str:
    return teacher(**changes).name(dataset.fingerprint, precision)


CHANGES: dict[str, dict[str, Any]] = {
    "model": {"model": {**MODEL, "widths": [9]}},
    "preprocessing": {
        "model": {
            **MODEL,
            "preprocessing": {"_target_": "kdistill.models.preprocessing.Pixels", "mean": 0.5},
        }
    },
    "fit": {"fit": {**FIT, "epochs": 3}},
    "optimizer": {"fit": {**FIT, "optimizer": {**SGD, "lr": 0.2}}},
    "loss": {"loss": {"_target_": "kdistill.losses.soft_targets.SoftTargets"}},
    "augmentation": {"augmentation": [NOISE]},
    "more augmentation": {"augmentation": [{**NOISE, "pixels": 2}]},
    "seed": {"seed": 1},
    "bootstrap": {"bootstrap": True},
    "precision": {"precision": "bf16"},
}


def test_all_that_the_weights_depend_on_changes_the_name(
    dataset: Dataset, other_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name(dataset), name(other_dataset)]
    names += [name(dataset, **changes) for changes in CHANGES.values()]
    monkeypatch.setattr(network_file, "versions", lambda: {"torch": "99"})
    names.append(name(dataset))
    assert len(set(names)) == len(names)


def test_what_the_weights_do_not_depend_on_leaves_the_name(
    dataset: Dataset, context: Run, tmp_path: Path
) -> None:
    expected = name(dataset)
    assert name(dataset, stage="teacher 3/5") == expected
    assert name(dataset, model=dict(reversed(MODEL.items()))) == expected
    assert prepared(context()).hash == expected
    assert prepared(context(tmp_path)).hash == expected


def test_changing_the_source_of_a_users_own_model_changes_the_name(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDISTILL_TRUST", "own_teacher")
    mine = {"_target_": "own_teacher.Mine", "in_features": 6, "out_features": 3}
    code = "from torch import nn\n\n\nclass Mine(nn.Linear):\n    pass\n"
    names = []
    for place, content in enumerate((code, f"{code}# changed\n", code)):
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "own_teacher.py").write_text(content)
        monkeypatch.syspath_prepend(tmp_path / str(place))
        monkeypatch.delitem(sys.modules, "own_teacher", raising=False)
        names.append(name(dataset, model=mine))
    before, changed, after = names
    assert changed != before == after


# the sample it is trained on


def test_a_bootstrap_resample_has_the_size_and_the_repeats_of_one() -> None:
    inputs = torch.arange(4000.0)[:, None]
    examples = network_file.Examples(inputs, torch.arange(4000), torch.arange(4000))
    drawn = teacher(seed=3, bootstrap=True)._resample(examples)
    assert len(drawn) == 4000
    assert torch.equal(drawn.inputs[:, 0].long(), drawn.targets)  # rows stay together
    share = len(drawn.index.unique()) / 4000
    assert abs(share - 0.632) < 0.02  # 1 - 1/e; its deviation is 0.005
    again, other = (teacher(seed=seed)._resample(examples) for seed in (3, 4))
    assert torch.equal(drawn.index, again.index)
    assert not torch.equal(drawn.index, other.index)


def test_bootstrap_trains_on_the_resample(context: Run) -> None:
    plain, resampled = prepared(context()), prepared(context(), bootstrap=True)
    assert not same(weights(plain), weights(resampled))


# loaded from a file


@pytest.fixture
def trained(context: Run) -> NetworkTeacher:
    return prepared(context(), seed=7)


def test_a_run_folder_brings_its_weights_and_its_model(
    trained: NetworkTeacher, context: Run, tmp_path: Path
) -> None:
    write_tensors(tmp_path / "student.safetensors", weights(trained))
    about = json.dumps({"model": MODEL, "input_shape": [6], "classes": ["0", "1", "2"]})
    write_text(tmp_path / "student.yaml", about)
    told: list[Event] = []
    wide = {**MODEL, "widths": [50]}
    loaded = prepared(context(None, told.append), weights=str(tmp_path), model=wide)
    assert same(weights(loaded), weights(trained))
    assert loaded.model == MODEL == loaded.reference()["model"]
    (ended,) = told
    assert isinstance(ended, StageEnded)
    assert ended.reused
    assert ended.note == f"loaded from {tmp_path}"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_a_file_of_weights(
    suffix: str, prefixed: bool, trained: NetworkTeacher, context: Run, tmp_path: Path
) -> None:
    state = weights(trained) if prefixed else trained.network.model.state_dict()
    file = tmp_path / f"teacher{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": state}, file)
    else:
        write_tensors(file, state)
    cache = tmp_path / "cache"
    loaded = prepared(context(cache), weights=str(file))
    assert same(weights(loaded), weights(trained))
    assert not loaded.network.training
    assert not cache.exists()  # nothing was trained, so nothing is kept


def test_the_name_of_loaded_weights_is_that_of_their_values(
    trained: NetworkTeacher, dataset: Dataset, tmp_path: Path
) -> None:
    def saved(file: str, state: Mapping[str, Tensor]) -> str:
        write_tensors(tmp_path / file, state)
        return name(dataset, weights=str(tmp_path / file))

    state = weights(trained)
    first = saved("a.safetensors", state)
    assert saved("b.safetensors", state) == first
    assert saved("b.safetensors", {**state, "model.output.bias": torch.zeros(3)}) != first


def test_weights_that_do_not_fit_are_named(
    trained: NetworkTeacher, context: Run, tmp_path: Path
) -> None:
    file = tmp_path / "teacher.safetensors"
    write_tensors(file, weights(trained))
    with pytest.raises(UserError, match=r"teacher\.safetensors: does not fit the model: 'model"):
        prepared(context(), weights=str(file), model={**MODEL, "widths": [9]})
    with pytest.raises(UserError, match=r"the file has no 'model\.hidden\.1\.weight'"):
        prepared(context(), weights=str(file), model={**MODEL, "widths": [8, 8]})


def test_a_damaged_or_missing_file_is_named_in_one_line(context: Run, tmp_path: Path) -> None:
    for file in ("missing.pt", "missing.safetensors", "run"):
        with pytest.raises(UserError, match=f"{file}: no such file"):
            prepared(context(), weights=str(tmp_path / file))
    for file in ("cut.pt", "cut.safetensors"):
        (tmp_path / file).write_bytes(b"PK\x03\x04")
        with pytest.raises(UserError, match=f"{file}: not a readable") as told:
            prepared(context(), weights=str(tmp_path / file))
        assert "\n" not in str(told.value)


# what it would do


def test_what_it_announces_is_what_it_does(context: Run, dataset: Dataset, tmp_path: Path) -> None:
    def announced(**changes: Any) -> Any:
        (each,) = teacher(**changes).trainings(dataset.fingerprint, "fp32", tmp_path)
        return each

    assert (announced().reused, announced().epochs, announced().model) == (False, 2, MODEL)
    prepared(context(tmp_path))
    assert announced().reused
    assert not announced(seed=1).reused
    (elsewhere,) = teacher().trainings(None, "fp32", tmp_path)  # data that are not at hand yet
    assert not elsewhere.reused


def test_announcing_names_the_answers_that_may_be_stored(
    trained: NetworkTeacher, dataset: Dataset, tmp_path: Path
) -> None:
    write_tensors(tmp_path / "teacher.safetensors", weights(trained))
    for changes in ({}, {"weights": str(tmp_path / "teacher.safetensors")}):
        made = teacher(**changes)
        made.trainings(dataset.fingerprint, "fp32", tmp_path)
        assert made.hash == made.name(dataset.fingerprint, "fp32")
