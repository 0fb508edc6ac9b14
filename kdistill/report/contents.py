"""Everything a report of one run is drawn from, read from its folder once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kdistill.artifacts.configs import read_config
from kdistill.artifacts.records import read_history
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_arrays import (
    read_densities,
    read_gallery,
    read_predictions,
    read_samples,
)
from kdistill.artifacts.run_folder import RunFolder
from kdistill.measures.calibration import BINS, MOST_BINS
from kdistill.printable import NAME, printable

COLDEST, HOTTEST, MOST_TEMPERATURES = 1e-3, 1e4, 20  # that a chart shows


@dataclass(frozen=True)
class Contents:
    """What a finished run left; only `result` is always there."""

    result: Result
    config: dict[str, Any]  # config.yaml, references as they stand
    history: list[dict[str, Any]]  # lines of history.jsonl
    predictions: dict[str, Tensor]  # index and labels [n]; probabilities by model [n, classes]
    gallery: dict[str, Tensor]  # row [shown] of predictions, and those test inputs [shown, ...]
    densities: dict[str, Tensor] = field(default_factory=dict)  # log p(x) [n] of test data by model
    samples: dict[str, Tensor] = field(default_factory=dict)  # of densities [shown, ...] by model

    @property
    def bins(self) -> int:
        """Of the calibration error: task.bins."""
        task = self.config.get("task")
        bins = task.get("bins") if isinstance(task, dict) else None
        return bins if type(bins) is int and 1 <= bins <= MOST_BINS else BINS

    @property
    def temperatures(self) -> list[float]:
        """Every temperature that the loss names and a chart can show, ascending."""
        return sorted(set(_temperatures(self.config.get("loss"))))[:MOST_TEMPERATURES]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the columns of `predictions`."""
        columns = next((each.shape[1] for each in self.predictions.values() if each.ndim == 2), 0)
        names = self.result.dataset.get("classes")
        if isinstance(names, list) and len(names) == columns:
            return [printable(name, NAME) for name in names]
        return [str(number) for number in range(columns)]


def read(folder: RunFolder) -> Contents:
    """Read the finished run in `folder`; UserError when it is not finished, or a file is damaged.

    References in the config are left as they stand: a stranger's config must not read this
    machine's environment.
    """
    result = Result.read(folder.finished().result)
    predictions = read_predictions(folder.predictions)
    gallery = read_gallery(folder.gallery, len(predictions.get("index", ())))
    densities, samples = read_densities(folder.densities), read_samples(folder.samples)
    history = [dict(vars(line)) for line in read_history(folder.history)]
    return Contents(result, _config(folder), history, predictions, gallery, densities, samples)


def _config(folder: RunFolder) -> dict[str, Any]:
    return read_config(folder.config) if folder.config.is_file() else {}


def _temperatures(node: Any) -> Iterator[float]:
    """Of a node of the config and of all below it."""
    if isinstance(node, dict):
        value = node.get("temperature")
        if isinstance(value, (int, float)) and COLDEST <= value <= HOTTEST:
            yield float(value)
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _temperatures(child)
