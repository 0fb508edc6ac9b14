"""A small data set, and the run around a teacher."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kdistill.data.batch import Dataset
from kdistill.data.tensors import from_tensors
from kdistill.engine.process import Process
from kdistill.events import Listener, silent
from kdistill.tasks.classification import Classification
from kdistill.teachers.teacher import Context


def data(seed: int = 0) -> Dataset:
    """80 training and 20 validation inputs of 6 numbers, in 3 classes that a line can part."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(120, 6, generator=generator)
    labels = inputs[:, :3].argmax(1)
    return from_tensors((inputs[:100], labels[:100]), (inputs[100:], labels[100:]), 20)


@pytest.fixture
def dataset() -> Dataset:
    return data()


@pytest.fixture
def other_dataset() -> Dataset:
    return data(seed=1)


@pytest.fixture
def context(dataset: Dataset) -> Callable[..., Context]:
    """context(cache, listener): what a run hands to a teacher."""

    def make(cache: Path | None = None, listener: Listener = silent, **changes: Any) -> Context:
        process = Process("cpu", "fp32").start()
        parts = {"dataset": dataset, "process": process, "task": Classification(), **changes}
        parts["task"].bind(parts["dataset"], taught=True)
        return Context(**parts, cache=cache, listener=listener)

    return make
