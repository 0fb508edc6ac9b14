"""HTML elements whose every string is escaped, unless it is Markup already."""

from html import escape

VOID = ("img",)  # has neither content nor an end


class Markup(str):
    """HTML that this package made; any other string is text and gets escaped."""


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """`<tag attributes>children</tag>`; class_ is written class, aria_label aria-label."""
    opened = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    if tag in VOID:
        return Markup(f"<{tag}{opened}>")
    inner = "".join(map(safe, children))
    return Markup(f"<{tag}{opened}>{inner}</{tag}>")


def safe(text: str) -> str:
    return text if isinstance(text, Markup) else escape(text)


def joined(*parts: str) -> Markup:
    """The parts one after the other, a line each."""
    return Markup("\n".join(safe(part) for part in parts if part))
