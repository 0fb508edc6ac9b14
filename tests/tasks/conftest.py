"""bench(models, dataset, folder): the models of a run as a task judges them."""

from collections.abc import Callable, Mapping

import pytest
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors
from kdistill.artifacts.result import Cost
from kdistill.artifacts.run_folder import RunFolder
from kdistill.data.batch import Dataset
from kdistill.engine.process import Process
from kdistill.held_out import asked
from kdistill.measures.cost import cost
from kdistill.tasks.task import Bench, Part


@pytest.fixture
def bench() -> Callable[..., Bench]:
    def made(
        models: Mapping[str, nn.Module],
        dataset: Dataset,
        folder: RunFolder | None = None,
        seconds: Mapping[str, float] = {},
    ) -> Bench:
        process = Process("cpu", "fp32").start()

        def answers(model: str, part: Part) -> Tensor:
            return asked(model, models[model], dataset, part, process)

        def cost_of(model: str) -> Cost:
            return cost(models[model], dataset.inputs, None, process.device, batch_sizes=(1,))

        def keep(name: str, tensors: Mapping[str, Tensor]) -> None:
            if folder:
                write_tensors(folder.path / f"{name}.safetensors", tensors)

        rest = (lambda part: (), cost_of, lambda: (), seconds, keep)
        return Bench(dataset, process, 0, models, answers, *rest)

    return made
