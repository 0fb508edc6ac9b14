"""The gallery: the test inputs on which the student's answer is furthest from the teacher's."""

import torch
from torch import Tensor

from kdistill.measures.figures import divergences
from kdistill.measures.softening import logarithms
from kdistill.report import numbers
from kdistill.report.contents import Contents
from kdistill.report.markup import Markup, element, joined
from kdistill.report.picture import data_uri

BARS = 5  # at most so many bars of each distribution; the last may be all other classes
PAIR = ("teacher", "student")
Bar = tuple[str, float, float]  # class, the teacher's share, the student's


def gallery(contents: Contents) -> Markup:
    """A figure for each input that the run kept; nothing where it kept none."""
    rows, inputs = contents.gallery.get("row"), contents.gallery.get("inputs")
    needed = {"labels", *PAIR}
    if rows is None or inputs is None or not needed <= contents.predictions.keys():
        return Markup()
    cases = [
        _case(contents, int(row), data_uri(one)) for row, one in zip(rows, inputs, strict=True)
    ]
    n = numbers.whole(len(contents.predictions["labels"]))
    said = (
        f"The {len(cases)} of {n} test inputs with the largest divergence KL of the student's "
        "distribution from the teacher's, at T = 1. Bars: "
    )
    key = [element("span", model, class_=f"mark {model}") for model in PAIR]
    words = element("p", said, key[0], ", ", key[1], ".", class_="soft")
    return joined(words, element("div", *cases, class_="gallery"))


def bars(teacher: Tensor, student: Tensor, classes: list[str]) -> list[Bar]:
    """The classes that either of two distributions [classes] favours, and the rest as one."""
    shown = torch.maximum(teacher, student).argsort(descending=True, stable=True).tolist()
    if len(shown) > BARS:
        shown = shown[: BARS - 1]
    both = [(classes[each], float(teacher[each]), float(student[each])) for each in shown]
    if len(shown) == len(classes):
        return both
    rest = [max(0.0, 1 - sum(bar[place] for bar in both)) for place in (1, 2)]
    return [*both, (f"{len(classes) - len(shown)} others", rest[0], rest[1])]


def _case(contents: Contents, row: int, picture: str | None) -> Markup:
    said, classes = contents.predictions, contents.classes
    taught, answered = (said[model][row] for model in PAIR)
    tops = (classes[int(each.argmax())] for each in (taught, answered))
    heading = "Labelled {}: teacher {}, student {}".format(classes[int(said["labels"][row])], *tops)
    divergence = divergences(logarithms(answered)[None], logarithms(taught)[None]).item()
    about = f"Test index {int(said['index'][row])}, KL {divergence:.2g} nats."
    return element(
        "figure",
        element("h3", heading),
        _distributions(heading, bars(taught, answered, classes), picture),
        element("figcaption", element("p", about)),
    )


def _distributions(heading: str, shown: list[Bar], picture: str | None) -> Markup:
    """The picture, if there is one, with both distributions beside it; and the same in words."""
    shares = "; ".join(f"{name} {_percent(t)}, {_percent(s)}" for name, t, s in shown)
    spoken = f"{heading}. Shares of teacher, student: {shares}."
    image = element("img", src=picture, alt="") if picture else ""
    drawn = element("div", *map(_bar, shown), class_="shares")
    return element("div", image, drawn, class_="case", role="img", aria_label=spoken)


def _bar(bar: Bar) -> Markup:
    name, *shares = bar
    lines = [
        element("i", class_=model, style=f"width: {100 * share:.1f}%")
        for model, share in zip(PAIR, shares, strict=True)
    ]
    texts = [element("span", _percent(share)) for share in shares]
    return element(
        "div",
        element("span", name, class_="name"),
        element("span", *lines, class_="lines"),
        element("span", *texts, class_="percent"),
        class_="share",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
