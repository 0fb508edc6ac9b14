"""read_rbm: the three kinds of file, scikit-learn's machine, and every mistake in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.rbm_file import read_rbm
from kdistill.errors import UserError
from kdistill.models.rbm import RBM


def arrays(**changed: Any) -> dict[str, Any]:
    """W [4, 3] and its biases, some changed or (None) left out."""
    draw = np.random.default_rng(0)
    whole = {
        "W": draw.normal(size=(4, 3)),
        "visible_bias": draw.normal(size=4),
        "hidden_bias": draw.normal(size=3),
    }
    return {name: array for name, array in {**whole, **changed}.items() if array is not None}


def holds(path: Path, expected: dict[str, Any]) -> None:
    found = read_rbm(path)
    assert list(found) == ["weight", "visible_bias", "hidden_bias"]
    for tensor, array in zip(found.values(), expected.values(), strict=True):
        torch.testing.assert_close(tensor, torch.tensor(array).float())


def test_npz_and_safetensors(tmp_path: Path) -> None:
    np.savez(tmp_path / "rbm.npz", **arrays())
    holds(tmp_path / "rbm.npz", arrays())
    tensors = {name: torch.tensor(array) for name, array in arrays().items()}
    write_tensors(tmp_path / "rbm.safetensors", tensors)
    holds(tmp_path / "rbm.safetensors", arrays())


@pytest.mark.parametrize("biases", ["row", "column"])
@pytest.mark.parametrize(
    "names", [("W", "visible_bias", "hidden_bias"), ("vishid", "visbiases", "hidbiases")]
)
def test_mat_by_either_names(tmp_path: Path, names: tuple[str, ...], biases: str) -> None:
    stored = dict(zip(names, arrays().values(), strict=True))
    savemat(tmp_path / "rbm.mat", {**stored, "epochs": 25}, oned_as=biases)
    holds(tmp_path / "rbm.mat", arrays())


def test_one_hidden_unit_in_a_mat(tmp_path: Path) -> None:
    savemat(tmp_path / "rbm.mat", arrays(W=np.ones((4, 1)), hidden_bias=np.ones(1)))
    assert read_rbm(tmp_path / "rbm.mat")["weight"].shape == (4, 1)


def test_integers_and_other_byte_orders_are_numbers(tmp_path: Path) -> None:
    other = arrays(W=np.arange(12).reshape(4, 3), hidden_bias=np.array([1, 2, 3], ">f8"))
    np.savez(tmp_path / "rbm.npz", **other)
    found = read_rbm(tmp_path / "rbm.npz")
    assert found["weight"][3].tolist() == [9, 10, 11]
    assert found["hidden_bias"].tolist() == [1, 2, 3]


def test_a_fitted_machine_of_scikit_learn(tmp_path: Path) -> None:
    """By the recipe of the file's docstring: log p~ is minus its free energy."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import BernoulliRBM

    images = (load_digits().data[:300] > 7).astype(float)
    machine = BernoulliRBM(n_components=12, learning_rate=0.1, n_iter=3, random_state=0).fit(images)
    np.savez(
        tmp_path / "my_rbm.npz",
        W=machine.components_.T,
        visible_bias=machine.intercept_visible_,
        hidden_bias=machine.intercept_hidden_,
    )
    rbm = RBM(12, (64,))
    rbm.load_state_dict(read_rbm(tmp_path / "my_rbm.npz"))
    log_density = rbm(torch.from_numpy(images).float())
    expected = -torch.from_numpy(machine._free_energy(images)).float()
    torch.testing.assert_close(log_density.detach(), expected, rtol=1e-5, atol=1e-4)


MISTAKES = [
    ({"hidden_bias": None}, "no array hidden_bias in it; .* it holds W, visible_bias$"),
    ({"W": None, "weights": np.ones((4, 3))}, "no array W in it; .* weights$"),
    ({"W": arrays()["W"].T}, r"W is \[3, 4\], but .* ask for \[4, 3\]; it is transposed"),
    ({"W": np.ones((5, 3))}, r"W is \[5, 3\], but visible_bias \[4\] and hidden_bias \[3\] ask"),
    ({"hidden_bias": np.ones(2)}, r"W is \[4, 3\], but .* ask for \[4, 2\]$"),
    ({"W": np.ones(12)}, r"W must be \[visible, hidden\] and not empty, its shape is \[12\]"),
    (
        {"W": np.ones((4, 0)), "hidden_bias": np.ones(0)},
        r"W must be .* not empty, its shape is \[4",
    ),
    ({"visible_bias": np.ones((1, 4))}, r"visible_bias must be of one dimension .* \[1, 4\]"),
    ({"W": np.full((4, 3), np.nan)}, r"W holds NaN or infinity \(12 of 12\)"),
    ({"visible_bias": np.array([0, np.inf, 0, 1e300])}, r"visible_bias holds NaN .* \(2 of 4\)"),
    ({"W": np.ones((4, 3), complex)}, "W must be real numbers, it is an array of complex128"),
    ({"W": np.full((4, 3), "x")}, "W must be real numbers, it is an array of <U1"),
    ({"W": np.array([print] * 3)}, "not a readable .npz file"),
]


@pytest.mark.parametrize(("changed", "says"), MISTAKES)
def test_each_mistake_is_one_line_that_names_it(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    np.savez(tmp_path / "my_rbm.npz", **arrays(**changed))
    with pytest.raises(UserError, match=says) as caught:
        read_rbm(tmp_path / "my_rbm.npz")
    assert "my_rbm.npz: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistakes_of_the_other_kinds(tmp_path: Path) -> None:
    savemat(tmp_path / "t.mat", arrays(W=arrays()["W"].T))
    with pytest.raises(UserError, match=r"W is \[3, 4\].* transposed"):
        read_rbm(tmp_path / "t.mat")
    savemat(tmp_path / "none.mat", {"weights": np.ones((4, 3)), "name": "mine"})
    with pytest.raises(UserError, match="no array vishid or visbiases or hidbiases"):
        read_rbm(tmp_path / "none.mat")
    write_tensors(tmp_path / "c.safetensors", {n: torch.ones(2).cfloat() for n in arrays()})
    with pytest.raises(UserError, match="W must be real numbers, it is torch.complex64"):
        read_rbm(tmp_path / "c.safetensors")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.npz: no such file in "):
        read_rbm(tmp_path / "gone.npz")
    with pytest.raises(UserError, match=r"rbm.pkl: an RBM is read from .npz, .safetensors or .mat"):
        read_rbm(tmp_path / "rbm.pkl")
    for suffix in ("npz", "safetensors", "mat"):
        (tmp_path / f"page.{suffix}").write_text("<html>404 not found</html>" * 20)
        with pytest.raises(UserError, match=rf"page.{suffix}: not a "):
            read_rbm(tmp_path / f"page.{suffix}")
