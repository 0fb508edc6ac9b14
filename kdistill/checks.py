"""Checks of a run's parts against each other, before anything is trained."""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from kdistill import ranks
from kdistill.data.batch import Batch, Dataset
from kdistill.data.spec import blank
from kdistill.data.teacher_samples import TeacherSamples
from kdistill.data.transfer import Transfer
from kdistill.data.tree import Tree, floats, rows
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.losses.loss import Loss
from kdistill.measures.classification import Classification
from kdistill.measures.density import DIVERGENCES, Density
from kdistill.models.network import inner
from kdistill.parts import Parts
from kdistill.signals.ask import ask
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.students.repair import bias_name
from kdistill.teachers.ensemble import Ensemble
from kdistill.teachers.rbm import RBMTeacher
from kdistill.teachers.specialists import Specialists
from kdistill.teachers.teacher import Teacher


def check_parts(parts: Parts) -> None:
    """Refuse what the run cannot supply, before any weights exist."""
    check_domain(parts.loss, parts.measure, parts.dataset)
    check_teacher(parts.loss, parts.teacher)
    check_densities(parts.measure, parts.teacher, parts.dataset)
    check_transfer(parts.transfer, parts.baseline, parts.dataset)
    check_chains(parts.transfer, parts.teacher, parts.fit)
    check_process(parts.loss, parts.fit, parts.process)
    check_processes(parts.teacher, parts.process)
    parts.fit.check(len(parts.dataset.validation) > 0, parts.measure.validated)
    labelled = parts.transfer.labelled(parts.dataset)
    wanted = parts.loss.needs_targets or (parts.baseline and bool(parts.dataset.classes))
    if not labelled and wanted:
        who = "the loss" if parts.loss.needs_targets else "the baseline"
        raise UserError(
            f"transfer: {who} needs labels, and these inputs have none; "
            "set loss.hard_weight=0 baseline=false, or give labels"
        )
    check_repair(parts.repair, parts.transfer, parts.dataset)
    shapes = {ANSWER: torch.Size([len(parts.dataset.classes)])}
    parts.loss.bind(shapes, shapes)


def check_domain(loss: Loss, measure: Classification | Density, dataset: Dataset) -> None:
    """Refuse a loss or a measure of classifiers for data without classes, and the other way."""
    strange = [need for need in loss.student_needs | loss.teacher_needs if not _is_signal(need)]
    if strange:
        raise UserError(
            f"loss: {type(loss).__name__} needs {strange[0]!r}, which is no Signal; what a module "
            "returns is ANSWER of kdistill.signals.signal"
        )
    of_densities = isinstance(measure, Density)
    if not dataset.classes and not of_densities:
        raise UserError("measure: these data have no classes; use measure=density, or other data")
    if loss.compares and ("density" if of_densities else "classes") not in loss.compares:
        kind = "densities: likelihood or density_mixture, say"
        kind = kind if of_densities else "classifiers: soft_targets, say"
        raise UserError(f"loss: with this measure it must be one of {kind}")
    if dataset.classes and (not len(dataset.test) or dataset.test.targets is None):
        raise UserError("dataset: without a labelled test set nothing can be measured")


def _is_signal(need: object) -> bool:
    """A user's loss may name anything."""
    return isinstance(need, Signal)


def check_repair(repair: str | None, transfer: Transfer, dataset: Dataset) -> None:
    """Refuse a repair where nothing is to be repaired, or by labels that are not there."""
    if not repair:
        return
    if not transfer.lacking(dataset):
        raise UserError(
            f"repair={repair}: the transfer set lacks no class; use repair=null, or set "
            "transfer.omit_classes"
        )
    held = dataset.validation
    if repair == "validation" and (not len(held) or held.targets is None):
        raise UserError(
            "repair=validation: there are no labels held out; set dataset.validation, or use "
            "repair=prior"
        )


def check_teacher(loss: Loss, teacher: Teacher | None) -> None:
    """Refuse a loss that wants a teacher where there is none."""
    if loss.teacher_needs and teacher is None:
        raise UserError("loss: it compares with a teacher, and there is none; use loss=hard_labels")
    if isinstance(teacher, Specialists) and not loss.teacher_needs <= {ANSWER}:
        raise UserError(
            "loss: what specialists agree on is found by iteration, and has no derivatives by the "
            "input here; use another teacher, or another loss"
        )


def check_transfer(transfer: Transfer, baseline: bool, dataset: Dataset) -> None:
    """Refuse inputs that the data cannot give, for the student or for the baseline."""
    transfer.check(dataset)
    if baseline:
        transfer.alone().check(dataset)


def check_chains(transfer: Transfer, teacher: Teacher | None, fit: Fit) -> None:
    """Refuse chains of an RBM that do not make whole batches."""
    if not (isinstance(transfer, TeacherSamples) and isinstance(teacher, RBMTeacher)):
        return
    if transfer.chains % fit.batch_size:
        raise UserError(
            f"transfer.chains must be a multiple of fit.batch_size, got {transfer.chains} and "
            f"{fit.batch_size}"
        )


def check_densities(
    measure: Classification | Density, teacher: Teacher | None, dataset: Dataset
) -> None:
    """Refuse densities that are to be multiplied, whose constant nobody knows, an RBM among
    classifiers, and a divergence from nobody."""
    if isinstance(measure, Density) and measure.main in DIVERGENCES and teacher is None:
        raise UserError(
            f"measure.main={measure.main}: there is no teacher to diverge from; use "
            "measure.main=log_likelihood"
        )
    if isinstance(teacher, RBMTeacher) and dataset.classes:
        raise UserError(
            "teacher: an RBM is a density, and these data have classes; use dataset=binarised, or "
            "another teacher"
        )
    if isinstance(teacher, Ensemble) and not dataset.classes and teacher.combine != "arithmetic":
        raise UserError(
            f"teacher.combine={teacher.combine}: the product of densities is not normalised; use "
            "teacher.combine=arithmetic"
        )


def check_process(loss: Loss, fit: Fit, process: Process) -> None:
    """Refuse what cannot be combined with how the run is carried out."""
    sharded = process.strategy == "fsdp" and (process.processes > 1 or ranks.world() > 1)
    if any(need.inside for need in loss.student_needs | loss.teacher_needs) and (
        sharded or process.compile
    ):
        which = "device.strategy=fsdp" if sharded else "device.compile=true"
        raise UserError(f"loss: it looks at layers, which {which} does not show; unset that")
    if loss.double_backward and (sharded or process.compile):
        which = "device.strategy=fsdp" if sharded else "device.compile=true"
        raise UserError(f"loss: it needs second derivatives, which {which} cannot give; unset that")
    if loss.needs_samples and sharded:
        raise UserError(
            "loss: it samples the student at every step, which device.strategy=fsdp cannot give; "
            "use device.strategy=ddp"
        )
    if loss.needs_samples and fit.batch_size // max(process.processes, ranks.world()) < 2:
        raise UserError(
            "fit.batch_size: the student's own samples, as many as the batch has inputs, must be "
            "two or more in each process"
        )
    if sharded and fit.average:
        raise UserError("fit.average: not with device.strategy=fsdp; use device.strategy=ddp")
    if sharded and process.precision == "fp16":
        raise UserError("device.precision=fp16: not with device.strategy=fsdp; use bf16 or ddp")


def check_processes(teacher: Teacher | None, process: Process) -> None:
    """Refuse members side by side, and chains that go on, in each of several processes."""
    side_by_side = isinstance(teacher, (Ensemble, Specialists)) and (
        teacher.workers > 1 or teacher.executor
    )
    processes = max(process.processes, ranks.world())
    if side_by_side and processes > 1:
        raise UserError(
            f"teacher.workers, teacher.executor: not with device.processes={processes}; use one or "
            "the other"
        )
    apart = isinstance(teacher, RBMTeacher) and (
        not teacher.path and (teacher.chains or process.strategy == "fsdp")
    )
    if apart and processes > 1:
        raise UserError(
            f"device.processes={processes}: an RBM's chains that go on, and its shards, are of one "
            "process; use device.processes=1, or teacher.chains=0 device.strategy=ddp"
        )


def _normalises(module: nn.Module) -> bool:
    return any(isinstance(part, _BatchNorm) for part in module.modules())


def check_normalisation(student: nn.Module, inputs: Tree, last: int) -> None:
    """Refuse BatchNorm where the `last` inputs of an epoch, its last batch, are one to a process.

    In one process a lone input may do, of which many pixels are normalised together: it is tried.
    """
    if not _normalises(student):
        return
    if ranks.world() > 1 and last // ranks.world() < 2:
        raise UserError(
            f"fit.batch_size: the last batch of an epoch has {last} inputs, too few "
            f"for BatchNorm in each of {ranks.world()} processes; use another batch size"
        )
    if last == 1:
        try:
            deepcopy(student).train()(rows(inputs, slice(1)))
        except ValueError as error:
            raise UserError(
                "student: the last batch of an epoch has one input, and BatchNorm needs two; give "
                "the loader drop_last=True, or another batch size"
            ) from error


def check_derivatives(loss: Loss, student: nn.Module) -> None:
    """Refuse BatchNorm where a loss differentiates by the input: each row then moves the others."""
    if loss.double_backward and _normalises(student):
        raise UserError(
            "loss: it differentiates the student by its input, which BatchNorm mixes with the rest "
            "of the batch; use a student without BatchNorm"
        )


def rehearse(parts: Parts, student: nn.Module) -> None:
    """One step on two blank inputs, with copies: a student, loss or optimizer that does not work
    is told before hours of a teacher's training, in one line."""
    data, classes = parts.dataset, len(parts.dataset.classes)
    two = blank(data.inputs, 2)
    check_normalisation(student, two, parts.transfer.last_batch(data, parts.fit.batch_size))
    row, mask = torch.zeros(2, dtype=torch.int64), data.train.mask
    batch = Batch(
        two,
        None if data.targets is None else blank(data.targets, 2),
        mask=None if mask is None else mask.new_ones(2, *mask.shape[1:]),
        index=row,
        key=row,
    )
    if parts.loss.needs_samples:
        batch = replace(batch, inputs=floats(two), sampled=torch.tensor([False, True]))
    check_derivatives(parts.loss, student)
    if not classes and not hasattr(inner(student), "sample"):
        raise UserError(
            "student: a density must have exact samples, sample(count, generator); use nade or made"
        )
    objective = Objective(deepcopy(student), deepcopy(parts.loss))
    parts.fit.optimizer_for(objective, steps=1000)  # few steps would divide by zero in OneCycleLR
    try:
        if parts.repair:
            bias_name(student, two, classes)
        needs = parts.loss.student_needs | parts.loss.teacher_needs
        said = ask(objective.student, batch, needs)
        taught = {ANSWER: torch.zeros(2, classes)} if classes else {}
        terms = objective(batch, Signals(said | taught))
        check_terms(terms, parts.loss)
        terms["total"].backward()
    except UserError:
        raise
    except Exception as error:  # a user's own module may raise anything
        if _ours(objective) and not isinstance(error, RuntimeError):  # torch's: of sizes, say
            raise
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"student and loss: a step on two blank inputs fails: {line}") from error
    if classes and (ANSWER not in said or said[ANSWER].shape != (2, classes)):
        shape = [*said[ANSWER].shape] if ANSWER in said else None
        raise UserError(f"student: must answer with logits [batch, {classes}], got {shape}")


def _ours(objective: Objective) -> bool:
    """Whether it is made of nothing but modules of kdistill and torch."""
    return all(
        type(one).__module__.startswith(("kdistill.", "torch")) for one in objective.modules()
    )


def check_terms(terms: object, loss: Loss) -> None:
    """UserError when a loss returned anything but scalars by name, "total" among them."""
    name = f"{type(loss).__module__}.{type(loss).__qualname__}"
    if not isinstance(terms, dict):
        said = f"got a {type(terms).__name__}"
    elif "total" not in terms:
        said = f"got the keys {', '.join(map(str, terms)) or 'none'}"
    else:
        wrong = [key for key, term in terms.items() if getattr(term, "shape", None) != ()]
        if not wrong:
            return
        said = f"{wrong[0]!r} is no scalar tensor"
    raise UserError(f"loss: {name} must return a dict of scalars with 'total', {said}")
