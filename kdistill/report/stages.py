"""Where the time went: a bar for each stage, and what the teacher was asked."""

from kdistill.report import numbers
from kdistill.report.comparison import signals_said, spent
from kdistill.report.contents import Contents
from kdistill.report.markup import Markup, element, joined

STAGES = {  # key of Result.seconds: what it is called, whose colour it has
    "teacher": ("Teacher", "teacher"),
    "signals": ("Teacher's answers", "teacher"),
    "student": ("Student distilled", "student"),
    "baseline": ("Student alone", "baseline"),
    "evaluate": ("Measuring", ""),
    "total": ("Total", ""),
}


def stages(contents: Contents) -> Markup:
    """Seconds of every stage, the total last; nothing where none were kept."""
    seconds = spent(contents.result)
    longest = max(seconds.values(), default=0) or 1
    bars = [_bar(stage, value, value / longest) for stage, value in seconds.items()]
    said = " ".join(filter(None, (signals_said(contents.result), _epochs(contents))))
    words = element("p", said, class_="soft after") if said else ""
    return joined(element("div", *bars, class_="stages"), words) if bars else Markup()


def _bar(stage: str, seconds: float, share: float) -> Markup:
    name, colour = STAGES.get(stage, (stage, ""))
    return element(
        "div",
        element("span", name),
        element("i", style=f"width: {100 * share:.1f}%"),
        element("span", numbers.duration(seconds)),
        class_=f"bar {colour}".strip(),
    )


def _epochs(contents: Contents) -> str:
    """How often each stored answer was looked up in place of asking again."""
    if contents.result.signals.get("mode") != "stored":
        return ""
    trained = [line["epoch"] for line in contents.history if line.get("stage") == "student"]
    if not trained:
        return ""
    return f"Training looked each of them up once an epoch, in {max(trained)} epochs."
