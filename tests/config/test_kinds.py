"""fits() and in_words(): which values of a config a parameter's annotation lets stand."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, Protocol

import pytest
from torch import Tensor, nn

from kdistill.config.kinds import fits, in_words
from kdistill.data.augmentation import Augmentation

LINEAR = {"_target_": "torch.nn.Linear"}
SGD = {"_target_": "torch.optim.SGD"}
FLIP = {"_target_": "kdistill.data.augmentation.Flip"}


class Grows(Protocol):
    def grow(self) -> None: ...


@pytest.mark.parametrize(
    ("annotation", "fitting", "others"),
    [
        (int, [1, -1], [1.0, True, "1", None, [1], {"a": 1}]),
        (float, [1, 0.5], [True, "1", None]),
        (bool, [True], [1, "true"]),
        (str, ["a"], [1, None]),
        (int | None, [1, None], ["a"]),
        (float | Tensor, [0.1, 1], ["fast", None, True]),
        (Sequence[int], [[], [1, 2], (3,)], [3, ["a"], [1.5], "12", None]),
        (list[int | str], [[1, "a"]], [[1.5], "a"]),
        (float | Sequence[float], [0.5, [1, 0.5]], ["x", ["x"]]),
        (tuple[float, float], [[0.9, 0.99]], [0.9, "a"]),
        (Sequence[PurePath], [["a"], []], ["a", 1]),
        (list[tuple[int, int]], [[[1, 2]], []], [1]),
        (tuple[Grows, float], [[{"_target_": "x"}, 0.5]], [1]),
        (Sequence[nn.Module], [[], [LINEAR]], [1, "a", [1], ["a"], [SGD]]),
        (nn.Module, [LINEAR], [SGD]),
        (nn.Module | None, [LINEAR, None], [SGD]),
        (Augmentation, [FLIP], [SGD]),  # a protocol: what has its methods
        (Grows, [], [LINEAR]),
        (nn.Module, [{**SGD, "_partial_": True}], []),  # nobody knows before
        (Mapping[str, Any] | None, [{"a": 1}, None], ["cosine", [1]]),
        (Literal["auto"] | bool, ["auto", False], ["maybe", 2]),
        (Any, [1, "a", None, [1], {}], []),
        (Path, ["a"], []),  # a class of the user's own: its constructor's to test
        (Grows, ["a"], []),
        ([1, 2], ["a"], []),  # Python allows any annotation
    ],
)
def test_a_value_fits_or_not(annotation, fitting, others):
    assert all(fits(value, annotation) for value in fitting)
    assert not any(fits(value, annotation) for value in others)


@pytest.mark.parametrize("annotation", [int, Sequence[float], str | None, Literal["a"]])
def test_no_object_is_a_plain_value(annotation):
    assert not fits(LINEAR, annotation)


@pytest.mark.parametrize("annotation", [Mapping[str, int], dict | None, Any, object, "nn.Module"])
def test_a_config_stays_one_where_that_is_expected(annotation):
    assert fits(LINEAR, annotation)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (float | Tensor, "a number"),
        (int | None, "a whole number or null"),
        (Sequence[int], "a list of whole numbers"),
        (float | Sequence[float], "a number or a list of numbers"),
        (Sequence[int | str], "a list of whole numbers or texts"),
        (Sequence[nn.Module], "a list of configs, a torch.nn.Module each"),
        (Sequence[Mapping[str, Any]], "a list of configs, {_target_: ...} each"),
        (Augmentation | None, "a kdistill.data.augmentation.Augmentation or null"),
        (Mapping[str, Any], "a config of keys and values"),
        (Literal["auto"] | bool, "auto or true or false"),
    ],
)
def test_what_would_fit_is_said_in_words(annotation, said):
    assert in_words(annotation) == said
