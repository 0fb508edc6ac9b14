"""DatasetPlan: what a data set will be, told without reading it; DataSource: who offers both."""

from dataclasses import dataclass
from typing import Protocol

from kdistill.data.batch import Dataset
from kdistill.data.spec import Spec


@dataclass(frozen=True)
class DatasetPlan:
    """What load() would give, and from where; `download` means that it is still to be fetched."""

    name: str
    source: str  # files | download | bundled
    inputs: Spec  # of one input
    classes: tuple[str, ...]
    train: int  # examples left for training after the validation split
    validation: int
    test: int
    bytes: int  # resident in memory, inputs of all parts; 0: streamed from files
    note: str = ""


@dataclass(frozen=True)
class Sweeps:
    """Gibbs sweeps of a teacher that has chains and no exact samples."""

    stage: str
    what: str  # in words
    count: int


class DataSource(Protocol):
    """What a config in configs/dataset builds."""

    def plan(self) -> DatasetPlan:
        """Cheap; raises the UserErrors that load() would raise, as far as it can tell."""
        ...

    def load(self) -> Dataset: ...
