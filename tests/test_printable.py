"""printable(): what a terminal would act on, or a reader would not see, is spelled out."""

import sys
import unicodedata

import pytest

from kdistill.printable import printable

SPACES = "\xa0\u2003\u3000"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    for text in (
        "mnist_ensemble",
        "données 数据 Ελλάδα",
        "± 0.3 %",
        "a/b [c] $x$ <d>",
        SPACES,
        "🙂",
    ):
        assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;pwned\x07", r"\x1b]0;pwned\x07"),
        ("\x00\x7f\x9b31m", r"\x00\x7f\x9b31m"),
        ("a\r\n\tb\v\f", r"a\r\n\tb\x0b\x0c"),
        ("\u202egnp.exe\u2069", r"\u202egnp.exe\u2069"),
        ("a\u200bb\ufeff\xad\U000e0041", r"a\u200bb\ufeff\xad\U000e0041"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\udcff \ue000 \U0010ffff", r"\udcff \ue000 \U0010ffff"),
    ],
)
def test_what_nobody_sees_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_every_character_comes_out_seen() -> None:
    bad = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = printable(every, limit=None)
    assert not [letter for letter in set(shown) if unicodedata.category(letter) in bad]
    shown.encode("utf-8")


def test_lines_stay_lines_where_they_are_asked_for() -> None:
    assert printable("a\n\x1bb\r\n", lines=True) == "a\n\\x1bb\\r\n"


@pytest.mark.parametrize("limit", [1, 2, 7, 10])
def test_of_long_text_the_middle_is_left_out(limit: int) -> None:
    assert printable("x" * limit, limit) == "x" * limit
    shown = printable("begin" + "\x1b" * 10_000 + "end", limit)
    assert len(shown) == limit
    assert "…" in shown
    assert limit < 10 or (shown.startswith("begin") and shown.endswith("end"))
    assert len(printable("\x1b" * 10_000)) == 2000


def test_what_is_no_text_is_written_as_text() -> None:
    assert printable(ValueError("a\x07")) == r"a\x07"
