"""The loop everybody writes: a DataLoader of transformed images, and every teacher every step."""

import torch
from torch.utils.data import DataLoader

from side_by_side.work import BATCH, InPrecision, PerImage, Work, objective, one_teacher, sgd


def loop(work: Work) -> None:
    """Plain PyTorch."""
    teacher, student = one_teacher(work), InPrecision(work.student, work.precision).train()
    optimizer = sgd(student)
    loader = DataLoader(PerImage(work), BATCH, shuffle=True)
    teacher.eval()
    for _ in range(work.epochs):
        for images, labels in loader:
            with torch.no_grad():
                taught = teacher(images)
            optimizer.zero_grad()
            objective(student(images), taught, labels).backward()
            optimizer.step()
