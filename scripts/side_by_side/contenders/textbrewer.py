"""TextBrewer: BasicDistiller or MultiTeacherDistiller, with and without its cache of logits."""

from tempfile import TemporaryDirectory
from typing import Any

import textbrewer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from side_by_side.work import (
    BATCH,
    HARD_WEIGHT,
    TEMPERATURE,
    InPrecision,
    PerImage,
    Work,
    sgd,
)


class Called(InPrecision):
    """TextBrewer hands a model the whole batch."""

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return super().forward(inputs)


def live(work: Work) -> None:
    """The teachers are asked every step."""
    _distil(work, cache=False)


def cached(work: Work) -> None:
    """`is_caching_logits`: whole batches and their logits are kept; only their order changes."""
    _distil(work, cache=True)


def _distil(work: Work, cache: bool) -> None:
    student: nn.Module = Called(work.student, work.precision)
    teachers = [Called(teacher, work.precision).eval() for teacher in work.teachers]
    several = len(teachers) > 1
    kind = textbrewer.MultiTeacherDistiller if several else textbrewer.BasicDistiller
    objective = textbrewer.DistillationConfig(
        temperature=TEMPERATURE,
        kd_loss_weight=TEMPERATURE**2,  # its soft cross-entropy has no T^2 of its own
        hard_label_weight=HARD_WEIGHT,
        is_caching_logits=cache,
    )
    with TemporaryDirectory() as folder:
        training = textbrewer.TrainingConfig(
            device="cpu", output_dir=folder, log_dir=None, ckpt_epoch_frequency=work.epochs
        )
        taught = teachers if several else teachers[0]
        distiller = kind(training, objective, taught, student, _of_teacher, _of_student)
        loader = DataLoader(PerImage(work), BATCH, shuffle=True)
        with distiller:
            distiller.train(sgd(student), loader, num_epochs=work.epochs)


def _of_teacher(batch: Any, logits: Tensor) -> dict[str, Any]:
    return {"logits": (logits,)}


def _of_student(batch: Any, logits: Tensor) -> dict[str, Any]:
    return {"logits": (logits,), "losses": (F.cross_entropy(logits, batch[1]),)}
