"""The digits of scikit-learn, against scikit-learn's own reader."""

import torch
from sklearn.datasets import load_digits

from kdistill.data.digits import Digits


def test_they_are_the_digits_of_scikit_learn() -> None:
    dataset, plan = Digits(200, 0).load(), Digits(200, 0).plan()
    parts = (dataset.train, dataset.validation, dataset.test)
    assert [len(part) for part in parts] == [1197, 200, 400]
    assert [plan.train, plan.validation, plan.test] == [1197, 200, 400]
    inputs = torch.cat([part.inputs for part in parts])  # type: ignore[misc]
    labels = torch.cat([part.targets for part in parts])  # type: ignore[misc]
    bunch = load_digits()
    expected = torch.from_numpy(bunch.data / 16 * 255).round().to(torch.uint8)
    ours = torch.cat([inputs.flatten(1), labels[:, None].to(torch.uint8)], dim=1)
    theirs = torch.cat([expected, torch.from_numpy(bunch.target)[:, None].to(torch.uint8)], dim=1)
    assert sorted(ours.tolist()) == sorted(theirs.tolist())


def test_the_split_seed_leaves_the_test_set_alone() -> None:
    one, other = Digits(200, 0).load(), Digits(200, 1).load()
    assert torch.equal(one.test.inputs, other.test.inputs)  # type: ignore[arg-type]
    assert not torch.equal(one.validation.index, other.validation.index)
    assert one.fingerprint != other.fingerprint
