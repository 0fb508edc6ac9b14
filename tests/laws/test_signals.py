"""The law of signals, over all that there are: asked live is what is read from the store."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
import torch
from torch import Tensor, nn

import kdistill.signals
from kdistill.data.batch import Batch, Examples
from kdistill.data.streams import EpochStream
from kdistill.events import silent
from kdistill.models.made import MADE
from kdistill.signals.ask import ask
from kdistill.signals.features import Feature
from kdistill.signals.signal import Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import StoredAnswers, stored_bytes, stored_for

CPU = torch.device("cpu")
COUNT = 40


def signals() -> dict[str, Signal]:
    """Those that the modules of the room name, and so every one that is added."""
    names = [
        f"kdistill.signals.{module.name}" for module in iter_modules(kdistill.signals.__path__)
    ]
    values = [value for name in names for value in vars(import_module(name)).values()]
    return {value.name: value for value in values if isinstance(value, Signal)}


SIGNALS = {**signals(), "0": Feature("0")}  # those that are made by name, too


class Asked:
    """A frozen model, which says how many inputs it was asked about."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.inputs = model, 0

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        self.inputs += len(batch)
        with torch.no_grad():
            return ask(self.model, batch, needs)


def classifier() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).eval()


def density() -> nn.Module:
    torch.manual_seed(0)
    return MADE(input_shape=(6,), widths=[8]).eval()


MODELS = {"score": density}


def inputs() -> Tensor:
    return torch.rand(COUNT, 6, generator=torch.Generator().manual_seed(1)).round()


@pytest.mark.parametrize("folder", ["kept", "in memory"])
@pytest.mark.parametrize("name", SIGNALS)
def test_asked_live_is_what_is_read_from_the_store(name: str, folder: str, tmp_path) -> None:
    signal, where = SIGNALS[name], tmp_path / "answers" if folder == "kept" else None
    needs, teacher = frozenset({signal}), Asked(MODELS.get(name, classifier)())
    examples = Examples(inputs(), None, torch.randperm(COUNT))
    store = StoredAnswers(teacher, where, CPU)
    store.collect(examples, needs, silent)
    assert teacher.inputs == COUNT
    stream, size = EpochStream(examples, 9, 0, CPU), 0
    for _ in range(2 * len(stream)):  # two epochs, with other keys
        batch = next(stream)
        live, read = teacher.answer(batch, needs), store.answer(batch, needs)
        assert set(read) == needs <= set(live)
        assert read[signal].dtype == live[signal].dtype == torch.float32
        torch.testing.assert_close(read[signal], live[signal])
        size = stored_bytes(teacher.answer(batch, stored_for(needs)), needs, COUNT)
    if where:
        assert sum(file.stat().st_size for file in where.glob("*.rows")) == size
        again = StoredAnswers(teacher, where, CPU)
        again.collect(examples, needs, silent)
        assert (again.asked, again.reused) == (0, COUNT)
        assert torch.equal(again.answer(batch, needs)[signal], read[signal])


def test_names_are_those_of_files_and_no_two_signals_share_one() -> None:
    assert len({signal.kept_as() for signal in SIGNALS.values()}) >= 3
    for name in SIGNALS:
        assert name.isidentifier() or name.isdecimal()
    files = [signal.file for signal in SIGNALS.values()]
    assert len(set(files)) == len(files)
    for signal in SIGNALS.values():
        assert signal.kept_as().kept_as() == signal.kept_as()
