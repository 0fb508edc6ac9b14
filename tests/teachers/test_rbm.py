"""The RBM as a teacher: what it learns, what it goes on from, and a file of somebody else's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill.data.batch import Batch
from kdistill.data.binarised import Binarised
from kdistill.data.digits import Digits
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import silent
from kdistill.models.network import inner
from kdistill.models.rbm import RBM
from kdistill.signals.signal import ANSWER
from kdistill.tasks.density import Density
from kdistill.teachers.rbm import Chains, RBMTeacher
from kdistill.teachers.teacher import Context

DATA = Binarised(Digits(200, 0), "threshold").load()
ADAM = {"_target_": "torch.optim.AdamW", "lr": 0.01}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 25,
    "batch_size": 50,
    "optimizer": ADAM,
}
Made = Callable[..., RBM]


def context(cache: Path | None = None) -> Context:
    task = Density()
    task.bind(DATA, taught=True)
    return Context(DATA, Process("cpu", "fp32").start(), task, cache, silent)


@pytest.mark.parametrize("chains", [0, 40], ids=["cd", "pcd"])
def test_it_learns_the_data(chains: int) -> None:
    """Exactly normalised, held-out data become far more likely than under independent pixels."""
    teacher = RBMTeacher(FIT, hidden=16, sweeps=1, chains=chains)
    teacher.prepare(context())
    rbm = inner(teacher.network)
    inputs = DATA.validation.inputs.flatten(1).float() / 255
    found = float(rbm(inputs).double().mean()) - rbm.log_partition()
    chances = (DATA.train.inputs.flatten(1).float() / 255).mean(0).clamp(0.001, 0.999)
    independent = float((inputs * chances.log() + (1 - inputs) * (1 - chances).log()).sum(1).mean())
    assert found > independent + 3
    assert not any(each.requires_grad for each in rbm.parameters())


def test_persistent_chains_go_on_and_others_begin_at_the_data() -> None:
    torch.manual_seed(0)
    rbm = RBM(4, (3,))
    with torch.no_grad():
        rbm.weight.fill_(0)
        rbm.visible_bias.fill_(0)

    class Still(RBM):
        """Each sweep adds one."""

        def gibbs(self, visible, generator, sweeps=1):
            return visible + sweeps

    still, batch = Still(4, (3,)), Batch(torch.zeros(5, 3))
    generator = torch.Generator()
    cd, pcd = Chains(still, 2, 0), Chains(still, 2, 7)
    for times in (1, 2, 3):
        assert torch.equal(cd(batch, generator), torch.full((5, 3), 2.0))
        assert torch.equal(pcd(batch, generator), torch.full((7, 3), 2.0 * times))
    again = Chains(still, 2, 7)
    again.load_state_dict(pcd.state_dict())
    assert torch.equal(again(batch, generator), pcd(batch, generator))


def test_it_is_trained_once_and_each_setting_is_another(tmp_path: Path) -> None:
    fit = {**FIT, "epochs": 1}
    first, again = (RBMTeacher(fit, hidden=4, sweeps=1) for _ in range(2))
    first.prepare(context(tmp_path))
    assert again.trainings(DATA.fingerprint, "fp32", tmp_path)[0].reused
    again.prepare(context(tmp_path))
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
    others = ({"sweeps": 2}, {"chains": 9}, {"hidden": 5}, {"seed": 1})
    names = {
        RBMTeacher(fit, **{"hidden": 4, "sweeps": 1, **each}).name("data", "fp32")
        for each in ({}, *others)
    }
    assert len(names) == 5


def test_a_file_is_read(tmp_path: Path) -> None:
    path, generator = tmp_path / "my_rbm.npz", np.random.default_rng(0)
    arrays = {"W": (64, 5), "visible_bias": 64, "hidden_bias": 5}
    arrays = {name: generator.normal(size=shape) for name, shape in arrays.items()}
    np.savez(path, **arrays)
    teacher = RBMTeacher(FIT, path=str(path))
    (training,) = teacher.trainings(DATA.fingerprint, "fp32", None)
    assert training.reused
    assert training.model["hidden"] == 5
    teacher.prepare(context())
    x = DATA.test.inputs[:7]
    bits = x.flatten(1).double().numpy() / 255
    drive = bits @ arrays["W"] + arrays["hidden_bias"]
    expected = bits @ arrays["visible_bias"] + np.logaddexp(0, drive).sum(1)
    found = teacher.answer(Batch(x), frozenset({ANSWER}))[ANSWER]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)
    np.savez(path, W=np.zeros((63, 5)), visible_bias=np.zeros(63), hidden_bias=np.zeros(5))
    with pytest.raises(UserError, match="its RBM has 63 visible units"):
        RBMTeacher(FIT, path=str(path)).prepare(context())


def test_what_is_out_of_range_is_refused() -> None:
    for key, value in {"sweeps": 0, "chains": -1}.items():
        with pytest.raises(ValueError, match=f"{key} must be >= "):
            RBMTeacher(FIT, **{key: value})


PLATEAU = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau"}


@pytest.mark.parametrize("key", [{"patience": 2}, {"keep": "best"}, {"scheduler": PLATEAU}])
def test_no_epoch_is_known_to_be_the_best(key: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="without log Z"):
        RBMTeacher({**FIT, **key})
