"""Weights of a network: reading them from strangers' files, and fitting them into a module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kdistill.artifacts.arrays import oddity, read_saved, read_tensors
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_yaml
from kdistill.errors import UserError


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state in a .safetensors file, a run folder (its student) or a .pt/.pth; no code runs."""
    file = path
    if path.is_dir():
        RunFolder(path).refuse_links()
        file = RunFolder(path).student
    state = read_tensors(file) if file.suffix == ".safetensors" else read_saved(file)
    for wrapper in ("state_dict", "model"):  # what training scripts wrap their weights in
        if isinstance(state, dict) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise UserError(f"{file}: does not hold a state_dict of tensors")
    for name, value in state.items():
        if odd := oddity(value):
            raise UserError(f"{file}: {name!r} is {odd}; save plain tensors")
    return dict(state)


def load_weights(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Put `state` into `network`; names may lack the leading "model." of a Network, and "network."
    of a torchvision classifier, and have the "module." of a parallel one.

    Raises UserError that names the first weights that do not fit.
    """
    own = network.state_dict()
    if not any(name in own for name in state):
        bare = {name.removeprefix("module."): value for name, value in state.items()}
        named = [
            {start + name: value for name, value in each.items()}
            for each in (state, bare)
            for start in ("model.", "model.network.")
        ]
        state = next((each for each in named if each.keys() & own.keys()), named[0])
        kept = {name: value for name, value in own.items() if not name.startswith("model.")}
        state = {**kept, **state}
    for name in (*own, *state):
        if name not in state or name not in own:
            where = "the model has no" if name not in own else "the file has no"
            raise UserError(f"{origin}: does not fit the model: {where} {name!r}")
        if own[name].shape != state[name].shape:
            raise UserError(
                f"{origin}: does not fit the model: {name!r} is {[*state[name].shape]} "
                f"in the file, {[*own[name].shape]} in the model"
            )
        _check_numbers(name, state[name], own[name], origin)
    parameters = dict(network.named_parameters())  # a mask, which is none, may be infinite
    for name, value in state.items():
        values = value.to(own[name].dtype)
        if not (values.isfinite() if name in parameters else ~values.isnan()).all():
            raise UserError(f"{origin}: {name!r} holds NaN or infinity")
    network.load_state_dict(dict(state))


def _check_numbers(name: str, given: Tensor, held: Tensor, origin: str) -> None:
    """UserError unless `given` can stand for `held`: floats for floats."""
    if given.is_complex() != held.is_complex() or (
        held.is_floating_point() and not given.is_floating_point()
    ):
        kinds = (str(each.dtype).removeprefix("torch.") for each in (given, held))
        raise UserError(
            "{}: does not fit the model: {!r} is {} in the file, {} in the model".format(
                origin, name, *kinds
            )
        )


def student_config(path: Path) -> dict[str, Any] | None:
    """The config of the student of a run folder; None when `path` is a file of weights."""
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: no such file or run folder")
        return None
    RunFolder(path).refuse_links()
    file = RunFolder(path).student_config
    if not file.is_file():
        raise UserError(
            f"{path}: has no {file.name}; give the folder of a run of `kdistill train`, "
            "or a file of weights"
        )
    return dict(read_student(file)["model"])


def read_student(file: Path) -> dict[str, Any]:
    """student.yaml: model (its config), input_shape or inputs, classes, and what the task offers;
    UserError when it is damaged."""
    about = read_yaml(file)
    kinds = {"model": dict, "classes": list}
    if (
        not isinstance(about, dict)
        or not all(isinstance(about.get(name), kind) for name, kind in kinds.items())
        or not isinstance(about.get("offers", {}), dict)
        or not (isinstance(about.get("input_shape"), list) or isinstance(about.get("inputs"), dict))
    ):
        raise UserError(f"{file}: damaged; it must hold model, input_shape and classes")
    count = len(about["classes"])
    about.setdefault("offers", {"classes": count} if count else {})  # older runs keep none
    return about
