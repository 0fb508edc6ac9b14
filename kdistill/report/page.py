"""The frame of every HTML report: one self-contained page that needs no network and no script."""

from pathlib import Path

from kdistill.report.markup import Markup, element, joined

# a browser holds the page to it: its own style, pictures inside it, and nothing from elsewhere
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, *body: str) -> str:
    """The whole document; what is not Markup in `body` is text."""
    inner = element("main", *body)
    whole = joined(_head(title), Markup("<body>"), inner, Markup("</body>\n</html>\n"))
    return f'<!doctype html>\n<html lang="en">\n{whole}'


def section(heading: str, *content: str) -> Markup:
    """`content` under a heading; nothing where there is no content."""
    inner = joined(*content)
    return element("section", element("h2", heading), inner) if inner else Markup()


def _head(title: str) -> Markup:
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return joined(
        Markup('<head>\n<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", title),
        element("style", Markup(style)),
        Markup("</head>"),
    )
