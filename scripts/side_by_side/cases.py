"""The cases: which teachers teach which student, on how much data, and who takes part."""

from dataclasses import dataclass

PLAIN, TORCHDISTILL, TIMM = "plain.loop", "torchdistill.box", "timm.task"
TEXTBREWER, TEXTBREWER_CACHED = "textbrewer.live", "textbrewer.cached"
STORED, LIVE, LABELS = "kdistill.stored", "kdistill.live", "kdistill.labels"

TITLES = {
    PLAIN: "plain loop",
    TORCHDISTILL: "torchdistill",
    TIMM: "timm.task",
    TEXTBREWER: "TextBrewer",
    TEXTBREWER_CACHED: "TextBrewer, its cache",
    LIVE: "kdistill, teacher live",
    STORED: "kdistill",
    LABELS: "kdistill, labels alone",
}
LIVE_PEERS = (PLAIN, TORCHDISTILL, TIMM, TEXTBREWER)  # those that ask their teachers every step
EVERYBODY = (*LIVE_PEERS, TEXTBREWER_CACHED, LIVE, STORED)


@dataclass(frozen=True)
class Case:
    """One comparison. Networks: ("mlp", units of a hidden layer) or ("resnet", depth)."""

    name: str
    title: str
    members: int  # of the teacher
    teacher: tuple[str, int]
    student: tuple[str, int]
    images: int
    epochs: int
    precision: str = "fp32"
    contenders: tuple[str, ...] = EVERYBODY


CASES = (
    Case(
        "ensemble", "Five 1200-1200 teachers, student 800-800", 5, ("mlp", 1200), ("mlp", 800),
        images=12800, epochs=20,
    ),
    Case(
        "small", "One 1200-1200 teacher, student 30-30", 1, ("mlp", 1200), ("mlp", 30),
        images=12800, epochs=20,
    ),
    Case(
        "resnet", "One resnet20 teacher, student resnet8, 32x32x3", 1,
        ("resnet", 20), ("resnet", 8), images=640, epochs=20,
    ),
    Case(
        "labels", "A distillation's loop beside the same student's on labels alone", 5,
        ("mlp", 1200), ("mlp", 800), images=12800, epochs=20, contenders=(LABELS, STORED),
    ),
    Case(
        "ensemble-bf16", "The five teachers again, everybody under bf16 autocast",
        5, ("mlp", 1200), ("mlp", 800), images=640, epochs=20, precision="bf16",
    ),
)  # fmt: skip
