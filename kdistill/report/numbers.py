"""How a report writes numbers: every output calls these, so the same figure reads the same."""

import math


def measured(value: float, unit: str) -> str:
    """A measure's value: counts whole, fractions in percent, others with four digits."""
    return f"{_fixed(value, unit, value)}{' %' if unit == 'fraction' else ''}"


def entry(value: str | int | float | None) -> str:
    """Of a table: texts as they are, whole numbers whole, others with four digits, None empty."""
    if value is None or isinstance(value, str):
        return value or ""
    return measured(value, "count" if isinstance(value, int) else "")


def interval(low: float, high: float, unit: str) -> str:
    """Both ends with the same number of decimals, in the unit that `measured` uses."""
    ends = f"{_fixed(low, unit, high)} to {_fixed(high, unit, high)}"
    return f"{ends}{' %' if unit == 'fraction' else ''}"


def spread(mean: float, deviation: float | None, unit: str) -> str:
    """'41.3 ± 2.1', '96.20 ± 0.31 %'; the mean alone where there is no deviation."""
    if deviation is None:
        return measured(mean, unit)
    if unit == "count":
        return f"{mean:,.1f} ± {deviation:,.1f}"
    both = f"{_fixed(mean, unit, mean)} ± {_fixed(deviation, unit, mean)}"
    return f"{both}{' %' if unit == 'fraction' else ''}"


def whole(value: float) -> str:
    """12,345"""
    return f"{value:,.0f}"


def scaled(value: float) -> str:
    """A large count with three digits: 2.39 M."""
    for size, name in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{_digits(value / size, 3)}{name}"
    return whole(value)


def file_size(size: float) -> str:
    """Bytes with three digits, powers of ten: 9.57 MB."""
    text = scaled(size)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def milliseconds(value: float) -> str:
    return f"{_digits(value, 3)} ms"


def duration(seconds: float) -> str:
    """3.2 s, 4 min 05 s, 2 h 13 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def probability(p: float) -> str:
    """'p = 0.032', 'p = 2e-6', 'p < 1e-300'."""
    if p < 1e-300:
        return "p < 1e-300"
    if p >= 0.001:
        return f"p = {p:.2g}"
    digits, exponent = f"{p:.0e}".split("e")
    return f"p = {digits}e{int(exponent)}"


def times(ratio: float) -> str:
    """A factor >= 1 with two or three digits: 4.2×, 13.1×, 120×."""
    return f"{whole(ratio)}×" if ratio >= 100 else f"{ratio:.1f}×"


def _fixed(value: float, unit: str, scale: float) -> str:
    """`value` with the decimals that suit `scale`, a figure of the same line."""
    if unit == "count":
        return whole(value)
    if unit == "fraction":
        return f"{100 * value:.2f}"
    if 0 < abs(scale) < 1e-4:
        return f"{value:.2e}"
    return f"{value:,.{_decimals(scale, 4)}f}"


def _digits(value: float, digits: int) -> str:
    return f"{value:,.{_decimals(value, digits)}f}"


def _decimals(value: float, digits: int) -> int:
    """Decimals that show `digits` significant digits of `value`."""
    return 2 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
