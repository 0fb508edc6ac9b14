"""timm.task: LogitDistillationTask in the loop that timm's train.py has around it."""

from timm.task import LogitDistillationTask
from torch import nn
from torch.utils.data import DataLoader

from side_by_side.work import (
    BATCH,
    CLASSES,
    HARD_WEIGHT,
    TEMPERATURE,
    InPrecision,
    PerImage,
    Work,
    one_teacher,
    sgd,
)


def task(work: Work) -> None:
    """The task owns teacher, student and loss; inputs are normalised alike for both."""
    student, teacher = InPrecision(work.student, work.precision), one_teacher(work)
    for model in (student, teacher):
        model.pretrained_cfg = {"mean": work.mean, "std": work.deviation}
        model.num_classes, model.in_chans = CLASSES, work.images.shape[1]
    task = LogitDistillationTask(
        student,
        teacher,
        criterion=nn.CrossEntropyLoss(),
        distill_loss_weight=1.0,
        task_loss_weight=HARD_WEIGHT,
        temperature=TEMPERATURE,
        verbose=False,
    )
    optimizer = sgd(student)
    loader = DataLoader(PerImage(work), BATCH, shuffle=True)
    task.train()
    for _ in range(work.epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            task(images, labels)["loss"].backward()
            optimizer.step()
