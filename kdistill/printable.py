"""printable(): text of a file, a folder or a message as a terminal and a page may show it."""

from unicodedata import category

LONGEST = 2000  # characters of a message
NAME = 100  # of a name: of a run, a class, a measure


def printable(text: object, limit: int | None = LONGEST, lines: bool = False) -> str:
    r"""`str(text)` on one line, what no reader sees spelled out: `\x1b`, `\n`, `\u202e`.

    That is every control and format character (ESC, bidi overrides, zero width), line separators,
    lone surrogates, private and unassigned characters; `lines` leaves `\n` as it is. Of more than
    `limit` characters the middle is left out, since a message ends with what to do.
    """
    text = str(text)
    if limit is not None and len(text) > 2 * limit:
        text = text[:limit] + text[-limit:]  # more would be left out below
    if not text.isprintable():
        text = "".join(letter if _seen(letter, lines) else _spelled(letter) for letter in text)
    if limit is None or len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def _seen(letter: str, lines: bool) -> bool:
    return letter.isprintable() or category(letter) == "Zs" or (lines and letter == "\n")


def _spelled(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
