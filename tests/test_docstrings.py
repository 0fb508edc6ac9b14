"""The examples in the docstrings of the contracts are true."""

import doctest
from importlib import import_module

import pytest

CONTRACTS = [
    "kdistill.artifacts.figures",
    "kdistill.artifacts.result",
    "kdistill.data.batch",
    "kdistill.data.spec",
    "kdistill.data.tree",
    "kdistill.measures.figures",
    "kdistill.models.abilities",
    "kdistill.tasks.predictive",
    "kdistill.tasks.task",
    "kdistill.losses.loss",
    "kdistill.signals.signal",
    "kdistill.signals.signals",
]


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_examples_of_a_contract_run(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
