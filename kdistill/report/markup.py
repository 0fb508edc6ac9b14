"""HTML elements whose every string is escaped, unless it is Markup already."""

from html import escape

from kdistill.printable import LONGEST, printable

VOID = ("img",)  # has neither content nor an end


class Markup(str):
    """HTML that this package made; any other string is text and gets escaped."""


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """`<tag attributes>children</tag>`; class_ is written class, aria_label aria-label."""
    opened = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{safe(value)}"'
        for name, value in attributes.items()
    )
    if tag in VOID:
        return Markup(f"<{tag}{opened}>")
    inner = "".join(map(safe, children))
    return Markup(f"<{tag}{opened}>{inner}</{tag}>")


def safe(text: str) -> Markup:
    return text if isinstance(text, Markup) else words(text)


def words(text: str, limit: int = LONGEST) -> Markup:
    """`text` as content or as the value of an attribute, printable and escaped."""
    return Markup(escape(printable(text, limit, lines=True)))


def joined(*parts: str) -> Markup:
    """The parts one after the other, a line each."""
    return Markup("\n".join(safe(part) for part in parts if part))
