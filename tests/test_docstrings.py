"""The examples in the docstrings of the contracts are true."""

import doctest
from importlib import import_module

import pytest

CONTRACTS = [
    "kdistill.artifacts.result",
    "kdistill.data.batch",
    "kdistill.data.spec",
    "kdistill.data.tree",
    "kdistill.losses.loss",
    "kdistill.signals.features",
    "kdistill.signals.signal",
    "kdistill.signals.signals",
]


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_examples_of_a_contract_run(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
