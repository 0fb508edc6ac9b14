"""Measuring the three classifiers beside each other: the one reading of the test set."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.result import Gain, Measure, ModelResult, Table
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Dataset, Examples
from kdistill.data.labels import labels_of
from kdistill.data.streams import in_order
from kdistill.engine.predict import predict
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.held_out import HeldOut, Part
from kdistill.measures.classification import Classification, divergences, log_probabilities
from kdistill.measures.cost import cost
from kdistill.measures.significance import closed_gap, mcnemar
from kdistill.parts import Parts
from kdistill.students.repair import repair

SHOWN = 8  # inputs in the gallery
COUNTED = ("errors", "accuracy")  # what McNemar's paired cases decide
TERMS = {
    "McNemar p": "exact test on the cases where only one of the two students is right; it judges "
    "these two trained networks, not other seeds",
    "NLL, Brier": "proper scores of the predicted probabilities",
    "ECE": "mean distance between confidence and accuracy",
    "Agreement, KL to teacher": "share of cases with the teacher's top class; divergence of the "
    "student's probabilities from the teacher's",
}


@dataclass(frozen=True)
class Findings:
    """What a run has shown of its models."""

    models: dict[str, ModelResult | None]  # teacher, student, baseline; None: there is none
    gain: Gain
    tables: list[Table]
    terms: dict[str, str]  # what a figure is, by its title
    second: str = ""  # the measure that a sweep draws beside the main one
    warnings: list[str] = field(default_factory=list)


def judge_classifiers(
    parts: Parts, networks: Mapping[str, nn.Module], held_out: HeldOut, folder: RunFolder
) -> Findings:
    """Measure `networks` (student, and baseline and teacher where there are), and keep what they
    predict; first a student that lacks classes is repaired, if the run says so."""
    assert isinstance(parts.measure, Classification)  # of data with classes: check_domain
    data, process = parts.dataset, parts.process
    logits, tables = _logits(networks, data, "test", process, held_out), []
    taught = {name: network for name, network in networks.items() if name != "teacher"}
    if omitted := parts.transfer.lacking(data):
        tables.append(repair(taught, logits, omitted, data, process, parts.repair, folder))
        if parts.repair:
            logits |= test_logits(taught, data, process)
    models = measure_models(parts, networks, logits, held_out, folder)
    write_predictions(data, logits, folder)
    won = gain(models, logits, labels_of(data.test), parts.measure.main)
    return Findings(models, won, tables, TERMS, second="nll")


def test_logits(
    networks: Mapping[str, nn.Module], dataset: Dataset, process: Process
) -> dict[str, Tensor]:
    """Logits [n, classes] on the test set by model name."""
    return _logits(networks, dataset, "test", process)


def _logits(
    networks: Mapping[str, nn.Module],
    dataset: Dataset,
    part: Part,
    process: Process,
    held_out: HeldOut | None = None,
) -> dict[str, Tensor]:
    """Logits on that part by model name; the teacher's are those of `held_out`, if given."""
    examples: Examples = getattr(dataset, part)
    logits = {
        name: held_out.teacher(part)
        if held_out and name == "teacher"
        else predict(network, examples, process)
        for name, network in networks.items()
    }
    for name, said in logits.items():
        if said.isnan().any():
            raise UserError(
                f"{name}: its logits on the {part} set are NaN; lower the learning rate"
            )
    return logits


def measure_models(
    parts: Parts,
    networks: Mapping[str, nn.Module],
    logits: Mapping[str, Tensor],
    held_out: HeldOut,
    folder: RunFolder,
) -> dict[str, ModelResult | None]:
    """What teacher, student and baseline score and cost; None for one that is not there."""
    dataset, measure, process = parts.dataset, parts.measure, parts.process
    assert isinstance(measure, Classification)
    models: dict[str, ModelResult | None] = dict.fromkeys(("teacher", "student", "baseline"))
    labels, group = labels_of(dataset.test), dataset.test.group
    validated = validation_measures(networks, dataset, measure, process, held_out)
    asked = parts.teacher.members if parts.teacher else ()
    members = [
        ModelResult(
            measure(said, labels, group=group),
            cost(member, dataset.inputs, None, process.device, batch_sizes=()),
        )
        for member, said in zip(asked, held_out.members("test"), strict=True)
    ]
    for name, network in networks.items():
        beside = None if name == "teacher" else logits.get("teacher")
        file = None if name == "teacher" else folder.weights(name)
        spent = cost(network, dataset.inputs, file, process.device)
        scores = measure(logits[name], labels, beside, group)
        alone = members if name == "teacher" else []
        models[name] = ModelResult(scores, spent, alone, validated.get(name, {}))
    return models


def validation_measures(
    networks: Mapping[str, nn.Module],
    dataset: Dataset,
    measure: Classification,
    process: Process,
    held_out: HeldOut,
) -> dict[str, dict[str, Measure]]:
    """Measures by model on the validation part; none where it is empty or has no labels."""
    validation = dataset.validation
    if not len(validation) or validation.targets is None:
        return {}
    logits = _logits(networks, dataset, "validation", process, held_out)
    beside = {name: logits.get("teacher") for name in logits if name != "teacher"}
    return {
        name: measure(said, labels_of(validation), beside.get(name), validation.group)
        for name, said in logits.items()
    }


def compression(
    teacher: ModelResult | None, student: ModelResult | None
) -> dict[str, float | None]:
    """How many times smaller and faster the student is."""
    big = teacher.cost if teacher else None
    small = student.cost if student else None
    if big is None or small is None:
        return dict.fromkeys(("parameters", "bytes", "multiply_adds", "latency"))
    return {
        "parameters": big.parameters / small.parameters,
        "bytes": big.bytes / small.bytes,
        "multiply_adds": _ratio(big.multiply_adds, small.multiply_adds),
        "latency": big.latency_ms["1"] / small.latency_ms["1"],
    }


def _ratio(big: int | None, small: int | None) -> float | None:
    return big / small if big and small else None


def gain(
    models: Mapping[str, ModelResult | None],
    logits: Mapping[str, Tensor],
    labels: Tensor | None,
    main: str,
) -> Gain:
    """Share of the gap between baseline and teacher that was closed; exact McNemar p-value."""
    if "baseline" not in logits or labels is None:
        return Gain(test="McNemar", measures=[*COUNTED])
    right = {name: said.argmax(dim=1) == labels for name, said in logits.items()}
    values = {name: model.measures[main] for name, model in models.items() if model is not None}
    teacher = values.get("teacher")
    closed = closed_gap(values["baseline"], values["student"], teacher) if teacher else None
    return Gain(closed, mcnemar(right["student"], right["baseline"]), "McNemar", [*COUNTED])


def write_predictions(dataset: Dataset, logits: Mapping[str, Tensor], folder: RunFolder) -> None:
    """Test probabilities of every model, which the report's diagrams are drawn from."""
    labels = labels_of(dataset.test)
    assert labels is not None
    probabilities = {name: said.softmax(dim=1) for name, said in logits.items()}
    about = {"index": dataset.test.index, "labels": labels}
    write_tensors(folder.predictions, {**about, **probabilities})
    if "teacher" in logits:
        write_gallery(dataset, logits["student"], logits["teacher"], folder)


def write_gallery(dataset: Dataset, student: Tensor, teacher: Tensor, folder: RunFolder) -> None:
    """The test inputs on which the student's answer is furthest from the teacher's."""
    each = divergences(log_probabilities(student), log_probabilities(teacher))
    rows = each.sort(descending=True, stable=True).indices[:SHOWN]
    chosen = replace(dataset.test.take(rows), workers=0)  # so few are read here
    (batch,) = in_order(chosen, SHOWN, torch.device("cpu"))
    if isinstance(batch.inputs, Tensor):  # several arrays are no picture
        write_tensors(folder.gallery, {"inputs": batch.inputs, "row": rows})
