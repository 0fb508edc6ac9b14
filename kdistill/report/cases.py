"""Draws the cases of a result: inputs with what the models answer, or pictures alone."""

from dataclasses import replace

from kdistill.artifacts.figures import Bar, Case, Cases
from kdistill.artifacts.run_arrays import Pictures
from kdistill.printable import NAME, printable
from kdistill.report import numbers
from kdistill.report.comparison import MODELS
from kdistill.report.markup import Markup, element, joined
from kdistill.report.page import section
from kdistill.report.picture import data_uri, tiled

WORDS = 400  # characters of what is said of a case
MOST = 20  # sections, cases of each and bars of a case that are drawn


def case_sections(found: list[Cases], pictures: Pictures) -> list[Markup]:
    """A section for each that has something to show."""
    return [section(printable(each.title, NAME), _drawn(each, pictures)) for each in found[:MOST]]


def _drawn(cases: Cases, pictures: Pictures) -> Markup:
    figures = [_figure(case, pictures) for case in cases.cases[:MOST]]
    if not any(figures):
        return Markup()
    models = {model for case in cases.cases for bar in case.bars for model in bar.shares}
    kind = "cases" if models else "figures"
    return joined(_words(cases.note, models), element("div", *figures, class_=kind))


def _words(note: str, models: set[str]) -> Markup:
    """How the cases were chosen, and whose bars they have."""
    marks = [element("span", model, class_=f"mark {model}") for model in MODELS if model in models]
    key = [part for mark in marks for part in (", ", mark)][1:]
    bars = [" Bars: ", *key, "."] if key else []
    return element("p", note, *bars, class_="soft") if note or bars else Markup()


def _figure(case: Case, pictures: Pictures) -> Markup:
    """Nothing for a case without bars whose input cannot be drawn."""
    heading, words = (printable(text, WORDS) for text in (case.heading, case.note))
    picture, text = _picture(case, pictures), _text(case)
    bars = [replace(bar, label=printable(bar.label, NAME)) for bar in case.bars[:MOST]]
    if bars:
        drawn = _distributions(heading, bars, picture)
    elif picture:
        count = len(case.input.picture.rows) if case.input.picture else 0
        alternative = heading if count == 1 else f"{count} pictures: {heading}"
        drawn = element("img", src=picture, alt=alternative)
    elif text:
        drawn = Markup()
    else:
        return Markup()
    note = element("figcaption", element("p", words)) if words else ""
    return element("figure", element("h3", heading), text, drawn, note)


def _picture(case: Case, pictures: Pictures) -> Markup | None:
    """A data: URI of one picture, or of a sheet of several; None for what is none."""
    picture = case.input.picture
    tensor = pictures.get((picture.file, picture.tensor)) if picture else None
    if picture is None or tensor is None:
        return None
    if len(picture.rows) == 1:
        return data_uri(tensor[picture.rows[0]])
    sheet = tiled(tensor[picture.rows])
    return None if sheet is None else data_uri(sheet, max(sheet.shape))


def _text(case: Case) -> Markup:
    shown = case.input
    values = ", ".join(numbers.entry(value) for value in shown.numbers or ())
    text = shown.text or values
    return element("p", text) if text else Markup()


def _distributions(heading: str, bars: list[Bar], picture: Markup | None) -> Markup:
    """The picture, if there is one, with the models' bars beside it; and the same in words."""
    models = [model for model in MODELS if any(model in bar.shares for bar in bars)]
    shares = "; ".join(
        f"{bar.label} {', '.join(_percent(bar.shares.get(model, 0)) for model in models)}"
        for bar in bars
    )
    spoken = f"{heading}. Shares of {', '.join(models)}: {shares}."
    image = element("img", src=picture, alt="") if picture else ""
    drawn = element("div", *(_bar(bar, models) for bar in bars), class_="shares")
    return element("div", image, drawn, class_="case", role="img", aria_label=spoken)


def _bar(bar: Bar, models: list[str]) -> Markup:
    shares = {model: bar.shares.get(model, 0.0) for model in models}
    lines = [
        element("i", class_=model, style=f"width: {100 * min(max(share, 0), 1):.1f}%")
        for model, share in shares.items()
    ]
    texts = [element("span", _percent(share)) for share in shares.values()]
    return element(
        "div",
        element("span", bar.label, class_="name"),
        element("span", *lines, class_="lines"),
        element("span", *texts, class_="percent"),
        class_="share",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
