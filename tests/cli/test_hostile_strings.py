"""Every string of a stranger's files is text: on the terminal, in Markdown, HTML and CSV.

The files of a finished run, with other strings in place of theirs and of every key that is free,
go through each command: all strings at once, then one at a time.
"""

import csv
import json
import re
import sys
import unicodedata
import warnings
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from PIL import Image

import kdistill
from kdistill.artifacts import figures, result
from kdistill.artifacts.result import Result
from kdistill.cli import main
from kdistill.errors import UserError
from kdistill.report.comparison import compare

EVERYTHING = (
    "a\x1b]0;pwned\x07\x1b[31m\x9b2J\x01\r\n\t<script>alert(1)</script><!--</style></title><u> "
    '" onmouseover="alert(1)\' [/x][link=http://x]y[red]:smile: | ``` `$\\frac{x} $$ *b* ~~s~~ '
    "[c](javascript:alert(1)) ![d](http://x) <http://x> \u202e\u2066\u200b\u2028\x85\ufeff "
    "\\g<1> #0a0b01 url(#x) {task.description} %s ]]> &lt;"
)
TEXTS = {
    "everything": EVERYTHING,
    "formula": "=cmd|' /C calc'!A0",
    "hidden": "_",
    "list": "- # 1. ",
    "long": "\x1b[2J" + 3_400 * "<u>",
    "wide": 40 * "日本",
}
SMALL = ["device=cpu", "student.widths=[4]", "teacher.model.widths=[4]", "fit.epochs=1"]
SMALL += ["teacher.fit.epochs=1", "hydra.run.dir=run"]
# what may be the name of a folder; it would be markup for a terminal, Rich and a page
NAME = "b\x1b[31m\n [bold]<script>alert(1)<u>$\\frac|`\u202e=x"
# the keys of result.json that are not free
KINDS = [kind for room in (result, figures) for kind in vars(room).values() if is_dataclass(kind)]
FIXED = {each.name for kind in KINDS for each in fields(kind)}
FIXED |= {"teacher", "student", "baseline", "name", "source", "fingerprint", "classes", "note"}
FIXED |= {"train", "transfer", "test", "mode", "asked", "reused"}
NAMED = ("model", "file", "tensor")  # keys of names that are refused if they are other ones
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# tags of our own; of the page besides: <script>, <u> and other ones are a stranger's
OURS = "h1 h2 h3 p strong em table thead tbody tr th td pre code blockquote ul li"
PAGE = (
    f"{OURS} html head meta title style body main section div span i b dl dt dd figure figcaption "
    "img footer a svg g path defs use text clippath rect circle line polyline"
)


class Tags(HTMLParser):
    """Refuses tags that are not `known` or do not nest, and attributes that run or fetch."""

    def __init__(self, text, known):
        super().__init__()
        self.open, self.known = [], known.split()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert tag in self.known
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert re.match(r"#|data:image/png;base64,|[\w.%-]+/report\.html$", value)
            if name == "id":
                assert re.fullmatch(r"[\w.-]+", value)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def refuse_unseen(text):
    assert not [c for c in set(text) - {"\n"} if unicodedata.category(c) in UNSEEN]


def check_files(folder):
    """What was written there is printable, parses, and has no markup but ours."""
    for path in (*folder.glob("*.html"), *folder.glob("*.md"), *folder.glob("*.csv")):
        text = path.read_text(encoding="utf-8")
        refuse_unseen(text)
        if path.suffix == ".html":
            assert "<script" not in text
            Tags(text, PAGE)
        elif path.suffix == ".md":
            assert not re.search("<[A-Za-z/!?]", text)
            rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
            Tags(rendered, OURS.removesuffix(" ul li") if path.name == "report.md" else OURS)
            assert rendered.count("<h1>") == 1
        else:
            rows = list(csv.reader(text.splitlines()))
            assert len({len(row) for row in rows}) == 1
            computed = re.compile(r"[=+@\t\r]|-(?!\d+(\.\d+)?$)")
            assert not [cell for row in rows for cell in row if computed.match(cell)]


@pytest.fixture
def run(desk, capfd):
    """Run a command, which ends well or tells a mistake; what it prints is seen, and no markup."""

    def run(*words, codes=(0, 1, 2)):
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        refuse_unseen(out + err)
        assert "Traceback" not in out + err
        assert code in codes, out + err
        assert (code == 2) == err.startswith("kdistill: ") == (err.count("\n") == 1), err
        return out + err

    return run


@pytest.fixture
def stored(run_folder):
    """result.json of a real run, with members of its teacher and a table."""
    said = json.loads((run_folder / "result.json").read_text())
    teacher = said["models"]["teacher"]
    teacher["members"] = [{**teacher}, {**teacher}]
    said["tables"] = [{"title": "T", "columns": ["a", "b"], "rows": [["x", 1]], "note": "n"}]
    return said


def every(value, text, keys=True):
    """`value` with `text` before every string and, with `keys`, before every key that is free."""
    if isinstance(value, str):
        return text + value
    if isinstance(value, list):
        return [every(each, text, keys) for each in value]
    if isinstance(value, dict):
        named = {key: text + key if keys and key not in FIXED else key for key in value}
        return {
            named[key]: each if key in NAMED else every(each, text, keys)
            for key, each in value.items()
        }
    return value


def one_by_one(value, text):
    """Copies of `value`, each with one string, or one key, replaced by `text`."""
    if isinstance(value, str):
        yield text
    for key, each in value.items() if isinstance(value, dict) else ():
        yield {text if name == key else name: other for name, other in value.items()}
        yield from ({**value, key: changed} for changed in one_by_one(each, text))
    for place, each in enumerate(value) if isinstance(value, list) else ():
        changes = one_by_one(each, text)
        yield from ([*value[:place], changed, *value[place + 1 :]] for changed in changes)


def rewrite(folder, stored, text):
    """Put such strings into every file that a report reads; history keeps its keys, too."""
    (folder / "result.json").write_text(json.dumps(every(stored, text)))
    lines = map(json.loads, (folder / "history.jsonl").read_text().splitlines())
    pairs = [
        ({**line, "validation": every(line["validation"], text)}, {**line, "stage": text})
        for line in lines
    ]
    both = [line for pair in pairs for line in pair]
    (folder / "history.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in both))
    for name in ("config.yaml", "student.yaml"):
        said = yaml.safe_load((folder / name).read_text())
        (folder / name).write_text(yaml.safe_dump(every(said, text)))


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_report_of_hostile_strings(text, run_folder, stored, run):
    rewrite(run_folder, stored, text)
    run("report", run_folder, codes=(0,))
    check_files(run_folder)
    shown = (run_folder / "report.html").read_text(encoding="utf-8")
    assert shown.count("<svg") == 5
    assert len(shown) < 1_000_000


def test_each_command_on_a_run_of_hostile_strings(run_folder, finished, stored, run, desk):
    hostile = desk / NAME
    copytree(finished, hostile)
    run("evaluate", hostile, codes=(0,))
    run("report", hostile, codes=(0,))
    run("diff", hostile, run_folder, codes=(0,))
    run("sample", hostile, desk / "x.safetensors", codes=(2,))
    rewrite(hostile, stored, EVERYTHING)
    run("diff", hostile, run_folder, codes=(2,))  # another data set
    rewrite(copytree(finished, desk / "other"), stored, EVERYTHING)
    (desk / "other/config.yaml").write_text("a: b")
    run("diff", hostile, desk / "other", codes=(0,))
    run("evaluate", hostile, codes=(2,))
    run("sample", hostile, desk / "x.safetensors", codes=(2,))
    for name in ("config.yaml", "student.yaml"):
        said = yaml.safe_load((finished / name).read_text())
        (hostile / name).write_text(yaml.safe_dump(every(said, EVERYTHING, keys=False)))
    run("resume", hostile, codes=(0,))  # it is finished
    run("resume", hostile, f"device.kind='{NAME}'", codes=(2,))
    run("evaluate", hostile, codes=(2,))


def test_one_hostile_string_at_a_time(run_folder, stored, run):
    """Those that a report refuses; the others it has shown above."""
    file, refused = run_folder / "result.json", 0
    for model in stored["models"].values():
        model.update(measures={"errors": model["measures"]["errors"]}, validation={}, members=[])
    for changed in one_by_one(stored, EVERYTHING):
        file.write_text(json.dumps(changed))
        try:
            compare(Result.read(file))
        except UserError:
            run("report", run_folder, codes=(2,))
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_sweep_of_hostile_strings(text, finished, stored, run, desk):
    """Two numbers and a text are swept; of the jobs one has failed, one is unfinished."""
    sweep = desk / NAME / "sweep"
    for at in range(6):
        job = copytree(finished, sweep / f"{NAME}\udcff{at}")
        said = every(stored, text)
        (job / "result.json").write_text(json.dumps({**said, "seed": at % 2}))
        key = text.replace("=", "@")
        words = [f"+{key}a.b={at // 2}", f"{key}c={text}{at}", "d=-1", f"seed={at % 2}", text]
        (job / ".hydra/overrides.yaml").write_text(yaml.safe_dump(words))
    (job / "result.json").unlink()
    (sweep / f"{NAME}\udcff0/result.json").unlink()
    failed = {"message": text, "stage": text, "step": text}
    (sweep / f"{NAME}\udcff0/failed.json").write_text(json.dumps(failed))
    (sweep / f"{NAME}\udcff1/report.html").write_text("a report")
    run("report", sweep, codes=(0,))
    check_files(sweep)
    assert "<svg" in (sweep / "sweep.html").read_text(encoding="utf-8")
    (sweep / f"{NAME}\udcff2/.hydra/overrides.yaml").write_text(f"a: [{NAME}")
    run("report", sweep, codes=(0,))
    check_files(sweep)


def test_a_cache_of_hostile_strings(run, desk):
    for kind, name in (("teachers", "teacher.json"), ("answers", "answers.json")):
        entry = desk / "cache" / kind / NAME
        entry.mkdir(parents=True)
        said = {"description": EVERYTHING, "seconds": 1, "created": "2030-01-01T00:00:00+0000"}
        (entry / name).write_text(json.dumps(said))
    assert "\\x1b" in run("cache", "list", codes=(0,))
    run("cache", "clean", "--yes", codes=(0,))


def test_configs_of_hostile_strings(run, desk):
    """Their names and comments, what Hydra prints of them, and the mistakes in them."""
    (desk / "conf/loss").mkdir(parents=True)
    (desk / f"conf/{NAME}").mkdir()
    text = f"# kdistill train\n# It is {json.dumps(EVERYTHING)[1:-1]}\x1b[31m\na: 1\n"
    (desk / f"conf/loss/{NAME}.yaml").write_text(text)
    said = yaml.safe_dump({"_target_": EVERYTHING, "a": EVERYTHING})
    (desk / "conf/loss/mine.yaml").write_text(said)
    own = ["--config-dir", desk / "conf"]
    assert "\\x1b[31m" in run("list", *own, codes=(0,))
    assert "\\x1b[31m" in run("list", "loss", *own, codes=(0,))
    run("list", "loss", NAME, *own, codes=(0,))
    run("list", NAME, *own, codes=(2,))
    for words in (["--help"], ["--cfg", "job"], ["--info"], ["--info", "config"]):
        run("train", "+loss@x=mine", *words, *own, codes=(0,))
    run("check", f"loss={NAME}", *own, codes=(2,))
    run("check", "loss=mine", *own, codes=(2,))


def test_data_of_hostile_strings(run, desk, capfd):
    """Class folders that are named so: a plan, a run with its reports, and the run measured."""
    for part in ("train", "test"):
        for at, name in enumerate((NAME, "$_{", "[/red]")):
            folder = desk / NAME / part / name.replace("/", ":")
            folder.mkdir(parents=True)
            for shade in range(6):
                pixels = np.full((4, 4), 60 * at + shade, np.uint8)
                Image.fromarray(pixels).save(folder / f"{shade}.png")
    words = [
        "dataset=image_folder",
        f"dataset.path='{NAME}'",
        "dataset.size=[4,4]",
        "dataset.channels=1",
        "dataset.validation=4",
        f"name='{NAME}'",
        *SMALL,
    ]
    assert "\\x1b[31m" in run("check", *words, codes=(0,))
    run("train", *words, codes=(0,))
    check_files(desk / "run")
    assert "\\x1b[31m" in (desk / "run/report.md").read_text(encoding="utf-8").replace("\\\\", "\\")
    run("evaluate", "run", codes=(0,))
    refuse_unseen((desk / "run/train.log").read_text(encoding="utf-8"))


def test_what_hydra_tells_of_a_sweep_and_the_log_of_its_failure(run, desk, capfd):
    (desk / "conf/experiment").mkdir(parents=True)
    swept = {"name": f"'{NAME}'", "seed": "-1,x"}
    text = yaml.safe_dump({"hydra": {"mode": "MULTIRUN", "sweeper": {"params": swept}}})
    (desk / "conf/experiment/mine.yaml").write_text(f"# @package _global_\n{text}")
    assert main(["train", "+experiment=mine", "--config-dir=conf", *SMALL[:-1]]) == 2
    out, err = capfd.readouterr()
    refuse_unseen(out + err)
    assert "#1" in out
    for log in desk.rglob("train.log"):
        refuse_unseen(log.read_text(encoding="utf-8"))


def test_a_bug_of_ours_that_quotes_a_file(run, desk, capfd, monkeypatch):
    """Still a traceback and exit code 1, both inside Hydra and outside of it."""

    def fail(*_, **__):
        raise ValueError(EVERYTHING)

    monkeypatch.setattr("kdistill.cli._run.run_in_processes", fail)
    assert main(["train", "dataset=digits", *SMALL]) == 1
    told = capfd.readouterr().err
    assert "\nValueError: a\\x1b]0;pwned\\x07" in told
    refuse_unseen(told)
    log = (desk / "run/train.log").read_text(encoding="utf-8")
    assert "\nValueError: a\\x1b]0;pwned\\x07" in log
    refuse_unseen(log)
    monkeypatch.setattr("kdistill.cli.list.main", fail)
    monkeypatch.setattr(sys, "argv", ["kdistill", "list"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(ValueError, match="pwned") as caught:
        main()
    sys.excepthook(caught.type, caught.value, caught.tb)
    told = capfd.readouterr().err
    assert told.startswith("Traceback")
    refuse_unseen(told)


def test_a_warning_of_a_library_that_quotes_a_file():
    told = warnings.formatwarning(EVERYTHING, UserWarning, NAME, 1)
    assert "UserWarning: a\\x1b]0;pwned" in told
    refuse_unseen(told)


def test_one_place_makes_consoles():
    """Any other might read markup in a name."""
    sources = Path(kdistill.__file__).parent.rglob("*.py")
    asked = re.compile(r"Console\(|rich\.markup|from_markup|rich import print")
    assert [path.name for path in sources if asked.search(path.read_text())] == ["_screen.py"]
