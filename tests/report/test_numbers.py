"""How numbers read."""

import pytest

from kdistill.report import numbers


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.0, "count", "1,234"),
        (0.99164, "fraction", "99.16 %"),
        (0.028411, "nats", "0.02841"),
        (-86.3412, "nats", "-86.34"),
        (0.0, "nats", "0.00"),
        (3.2e-7, "nats", "3.20e-07"),
    ],
)
def test_measured(value: float, unit: str, text: str) -> None:
    assert numbers.measured(value, unit) == text


def test_both_ends_of_an_interval_have_the_same_decimals() -> None:
    assert numbers.interval(0.99, 0.99364, "fraction") == "99.00 to 99.36 %"
    assert numbers.interval(0.0951, 0.1049, "nats") == "0.0951 to 0.1049"
    assert numbers.interval(67.3, 104.2, "count") == "67 to 104"


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.4, "p = 0.4"), (0.0321, "p = 0.032"), (2.4e-6, "p = 2e-6"), (0.0, "p < 1e-300")],
)
def test_probability(p: float, text: str) -> None:
    assert numbers.probability(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.97, "1 min 00 s"), (245.0, "4 min 05 s"), (7980.0, "2 h 13 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_sizes_keep_three_digits() -> None:
    assert numbers.scaled(2_393_010) == "2.39 M"
    assert numbers.scaled(999) == "999"
    assert numbers.file_size(47_861_224) == "47.9 MB"
    assert numbers.file_size(512) == "512 B"
    assert numbers.milliseconds(0.1596) == "0.160 ms"
