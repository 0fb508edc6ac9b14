"""Repairs a student whose transfer set lacked classes: shifts their logits, in its last bias."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.result import Table
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.labels import labels_of
from kdistill.data.spec import blank
from kdistill.data.tree import Tree, moved
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.measures.omitted import shift_by_labels, shifts_by_prior
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER

KINDS = {"validation": "held-out labels", "prior": "class prior"}
NAMES = {"student": "Student distilled", "baseline": "Student alone"}
COLUMNS = ["Model", "Shift from", "Shift", "Errors", "On omitted", "Accuracy on omitted, %"]
TRIED = 8.0  # added to a bias, and taken from it, to see whether that is added to the logits
Shifts = dict[str, Tensor]  # by kind: [omitted] float64, to be added to the logits of `omitted`


def repair(
    networks: Mapping[str, nn.Module],
    omitted: Sequence[int],
    dataset: Dataset,
    process: Process,
    kind: str | None,
    folder: RunFolder,
) -> Table:
    """What shifting the logits of the `omitted` classes does to student and baseline.

    The shift of that kind is built into the networks, which are written; None: into none.
    """
    as_trained = {name: predict(each, dataset.test, process) for name, each in networks.items()}
    shifts = {name: find_shifts(each, omitted, dataset, process) for name, each in networks.items()}
    if kind:
        one = moved(blank(dataset.inputs, 1), process.device)
        for name, network in networks.items():
            bias = bias_name(network, one, len(dataset.classes))
            build_in(network, bias, omitted, shifts[name][kind])
            write_tensors(folder.weights(name), network.state_dict())
    return table(as_trained, shifts, omitted, dataset, kind)


def find_shifts(
    network: nn.Module, omitted: Sequence[int], dataset: Dataset, process: Process
) -> Shifts:
    """What would repair `network`, from data that it was not trained on; the test set has no say.

    "validation": one shift, from the labels held out (absent where there are none). "prior": one a
    class, from the inputs held out (the training inputs where there are none) without their labels,
    and the frequencies of the classes in the whole training set.
    """
    held, found = dataset.validation, Shifts()
    logits = predict(network, held if len(held) else dataset.train, process)
    if len(held) and (labels := labels_of(held)) is not None:
        shift = shift_by_labels(logits, labels, omitted)
        found["validation"] = torch.full((len(omitted),), shift, dtype=torch.float64)
    found["prior"] = shifts_by_prior(logits, omitted, frequencies(dataset)[list(omitted)])
    return found


def frequencies(dataset: Dataset) -> Tensor:
    """Share of each class [classes] in the whole training set, which must be labelled."""
    labels = labels_of(dataset.train)
    assert labels is not None  # else nobody knows which classes a part of it lacks
    counts = labels.bincount(minlength=len(dataset.classes)).double()
    return counts / counts.sum()


def bias_name(network: nn.Module, inputs: Tree, classes: int) -> str:
    """The parameter [classes] that is added to the logits; UserError when there is none.

    inputs: a batch of any, on the network's device.
    """
    copy = deepcopy(network).eval()
    for name, bias in reversed(list(copy.named_parameters())):
        if bias.shape == (classes,) and _is_added(bias, copy, inputs):
            return name
    raise UserError(
        f"repair: the student has no bias of {classes} numbers that is added to its logits; use "
        "repair=null, or a student that ends in a layer with a bias"
    )


def _is_added(bias: nn.Parameter, network: nn.Module, inputs: Tree) -> bool:
    batch, kept = Batch(inputs), bias.detach().clone()

    def logits(shift: float) -> Tensor:
        bias.copy_(kept + shift)
        return ask(network, batch)[ANSWER]

    with torch.no_grad():
        before = logits(0.0)
        moves = [(logits(shift) - before, shift) for shift in (TRIED, -TRIED)]
        bias.copy_(kept)
    return all(torch.allclose(move, torch.full_like(move, by), atol=1e-3) for move, by in moves)


def build_in(network: nn.Module, name: str, omitted: Sequence[int], shifts: Tensor) -> None:
    """Add `shifts` [omitted] to the bias of that `name`, in place."""
    bias = network.get_parameter(name)
    with torch.no_grad():
        bias[list(omitted)] += shifts.to(bias.device, bias.dtype)


def table(
    logits: Mapping[str, Tensor],
    shifts: Mapping[str, Shifts],
    omitted: Sequence[int],
    dataset: Dataset,
    built_in: str | None,
) -> Table:
    """What each shift does to the test `logits` [n, classes] of each model as it was trained."""
    rows: list[list[str | int | float | None]] = []
    for model, said in logits.items():
        none = torch.zeros(len(omitted), dtype=torch.float64)
        for kind, shift in {"": none, **shifts[model]}.items():
            source = KINDS.get(kind, "none") + (" (saved)" if kind == (built_in or "") else "")
            shifted = said.double().clone()
            shifted[:, list(omitted)] += shift
            counts = _counts(shifted, omitted, dataset.test)
            rows.append([NAMES[model], source, _written(shift), *counts])
    names = ", ".join(dataset.classes[each] for each in omitted)
    return Table(f"Omitted classes: {names}", COLUMNS, rows, _note(omitted, dataset))


def _counts(
    logits: Tensor, omitted: Sequence[int], examples: Examples
) -> list[str | int | float | None]:
    """Errors, errors on the omitted classes, accuracy on those in percent."""
    labels = labels_of(examples)
    assert labels is not None  # a run without is refused
    wrong, among = logits.argmax(1) != labels, torch.isin(labels, torch.tensor(omitted))
    cases, missed = int(among.sum()), int((wrong & among).sum())
    return [int(wrong.sum()), missed, 100 * (1 - missed / cases) if cases else None]


def _written(shift: Tensor) -> str:
    low, high = float(shift.min()), float(shift.max())
    return f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"


def _note(omitted: Sequence[int], dataset: Dataset) -> str:
    labels = labels_of(dataset.test)
    assert labels is not None
    cases = int(torch.isin(labels, torch.tensor(omitted)).sum())
    held = len(dataset.validation)
    inputs = f"the {held:,} inputs held out" if held else "the training inputs"
    return (
        f"The transfer set lacks these classes; {cases:,} of {len(dataset.test):,} test cases are "
        "of them. A shift is added to their logits; the test set chose none. From held-out "
        f"labels: one shift, with the fewest errors on {held:,} validation cases. From the class "
        f"prior: one a class, so that its mean probability on {inputs}, whose labels are not "
        "looked at, is its share of the whole training set."
    )
