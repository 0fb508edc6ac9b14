"""torchdistill: its DistillationBox, configured as its YAML files would, without their logging."""

from typing import Any

import torch
from torch.utils.data import RandomSampler, SequentialSampler
from torchdistill.core.distillation import get_distillation_box

from side_by_side.work import (
    BATCH,
    HARD_WEIGHT,
    LEARNING_RATE,
    MOMENTUM,
    TEMPERATURE,
    InPrecision,
    PerImage,
    Work,
    one_teacher,
)

LOSS = {
    "key": "KDLoss",
    "kwargs": {
        "temperature": TEMPERATURE,
        "alpha": HARD_WEIGHT,
        "beta": 1.0,
        "student_module_path": ".",
        "student_module_io": "output",
        "teacher_module_path": ".",
        "teacher_module_io": "output",
    },
}


def box(work: Work) -> None:
    """One stage, a frozen teacher in eval mode."""
    student, teacher = InPrecision(work.student, work.precision), one_teacher(work).eval()
    stage = {
        "num_epochs": work.epochs,
        "train_data_loader": _loader(RandomSampler),
        "val_data_loader": _loader(SequentialSampler),
        "teacher": _model(trained=False),
        "student": _model(trained=True),
        "optimizer": {"key": "SGD", "kwargs": {"lr": LEARNING_RATE, "momentum": MOMENTUM}},
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": LOSS, "weight": 1.0}}},
        },
    }
    data = {"train": PerImage(work)}
    one = get_distillation_box(
        teacher, student, data, stage, torch.device("cpu"), None, False, lr_factor=1
    )
    for epoch in range(work.epochs):
        one.pre_epoch_process(epoch=epoch)
        for images, labels, extra in one.train_data_loader:
            one.post_forward_process(loss=one.forward_process(images, labels, extra))
    if teacher.training:
        raise RuntimeError("torchdistill put the frozen teacher into training mode")


def _loader(sampler: type) -> dict[str, Any]:
    return {
        "dataset_id": "train",
        "sampler": {"class_or_func": sampler, "kwargs": {}},
        "kwargs": {"batch_size": BATCH},
    }


def _model(trained: bool) -> dict[str, Any]:
    return {"forward_proc": "forward_batch_only", "requires_grad": trained}
