"""The laws of every task of configs/task."""

from collections.abc import Callable

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from kdistill.config.build import build
from kdistill.data.batch import Batch, Dataset, Examples
from kdistill.data.spec import Array
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.models.nade import NADE
from kdistill.paths import CONFIG_DIR
from kdistill.tasks.task import Bench, Task

OPTIONS = sorted(path.stem for path in (CONFIG_DIR / "task").glob("*.yaml"))
ROWS = torch.arange(12)


def data(kind: str) -> Dataset:
    """The smallest of that kind: the three states of a word, or six bits."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randint(2, (12, 6), generator=generator).float(), ROWS % 3
    of_classes = kind == "classes"
    every = Examples(inputs, targets if of_classes else None, ROWS, group=ROWS // 6)
    names = ("one", "two", "three") if of_classes else ()
    spec = Array((), torch.int64, 3) if of_classes else None
    return Dataset("small", "memory", "f", Array((6,)), spec, names, every, every, every)


@pytest.fixture(params=OPTIONS)
def task(request: pytest.FixtureRequest) -> Task:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose(overrides=[f"+task={request.param}"]).task
    if "samples" in config:
        config.update(samples=100, sweeps=8, annealed_chains=0)
    made: Task = build(config)
    made.bind(data(made.kind), taught=True)
    return made


def model(task: Task, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(6, 3) if task.kind == "classes" else NADE(4, (6,))


def bench(task: Task) -> Bench:
    dataset, process = data(task.kind), Process("cpu", "fp32").start()
    models = {name: model(task, seed).eval() for seed, name in enumerate(("student", "baseline"))}

    def answers(name: str, part: str) -> Tensor:
        with torch.no_grad():
            return models[name](getattr(dataset, part).inputs)

    costs: Callable[[str], None] = lambda name: None  # noqa: E731
    keep = lambda name, tensors: None  # noqa: E731
    return Bench(dataset, process, 0, models, answers, lambda part: (), costs, lambda: (), {}, keep)


def test_alone_trains_on_the_smallest_data(task: Task) -> None:
    loss, student = task.alone(), model(task)
    assert loss is not None
    examples = data(task.kind).train
    batch = Batch(examples.inputs, examples.targets, index=ROWS, key=ROWS)
    objective = Objective(student, loss, task.watch)
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        total = objective(batch, None)["total"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    assert losses[-1] < losses[0]


def test_its_check_takes_such_models_and_refuses_others(task: Task) -> None:
    student, two = model(task), torch.zeros(2, 6)
    task.check_student(student, student(two))
    for other in (torch.zeros(2, 5), torch.zeros(3), (student(two),)):
        with pytest.raises(Exception, match="must answer with"):
            task.check_model(student, other)


def test_judging_is_a_pure_function(task: Task) -> None:
    assert task.judge(bench(task)) == task.judge(bench(task))


def test_one_member_together_is_that_member(task: Task) -> None:
    member, inputs = model(task), data(task.kind).test.inputs
    together = task.together([member], "arithmetic")
    found, alone = together(inputs), member(inputs)
    if task.kind == "classes":
        alone = alone.log_softmax(-1)
    torch.testing.assert_close(found, alone)


def test_what_is_validated_is_what_is_judged(task: Task) -> None:
    table = bench(task)
    student = task.judge(table).models["student"]
    assert student is not None
    answer, examples = table.answers("student", "validation"), table.dataset.validation
    figures = {name: figure.value for name, figure in student.validation.items()}
    if "log_likelihood" in figures:
        figures["nll"] = -figures["log_likelihood"]
    found = task.validate(answer, examples)
    assert {*task.validated} <= {*found}
    assert found == {name: pytest.approx(figures[name], rel=1e-6) for name in found}
