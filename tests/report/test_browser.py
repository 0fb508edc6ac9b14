"""report.html in a real browser: fetches nothing, says its figures in words, fits a phone."""

import html as markup
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.write import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = 400  # pixels
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update"),
    "--virtual-time-budget=3000",  # ms, in which the frame answers
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser itself stays at home
    "--enable-blink-features=ComputedAccessibilityInfo",  # what a screen reader is told
)
# what the page is asked, once its pictures are there; its policy is opened for this alone
POLICY = ("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
PROBE = """<script>
const refused = [];
document.addEventListener("securitypolicyviolation", e => refused.push(e.blockedURI));
addEventListener("load", () => {
  const all = kind => [...document.querySelectorAll(kind)];
  const said = shown => shown && shown.computedRole + ": " + shown.computedName;
  parent.postMessage(JSON.stringify({
    refused, window: innerWidth, page: document.documentElement.scrollWidth,
    outside: all("body *").filter(e => e.getBoundingClientRect().right > innerWidth
      && !e.closest(".box")).map(e => e.outerHTML.slice(0, 80)),
    figures: all("figure").map(f => said(f.querySelector("[role=img]"))),
    captions: all("figure").map(f => f.querySelector("figcaption")?.innerText ?? ""),
    pictures: all("img").map(i => i.naturalWidth),
  }), "*");
});
</script></head>"""

# a window has a least width; a frame is as narrow as a phone
FRAME = f"""<!doctype html><script>
addEventListener("message", e => document.documentElement.dataset.seen = e.data);
</script><iframe src="page.html" style="border: 0; width: {PHONE}px; height: 900px"></iframe>"""


@dataclass(frozen=True)
class Opened:
    """A page as the browser had it."""

    seen: dict[str, Any]  # the answers of PROBE
    requests: list[str]  # every URL that the page asked the network for


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return found
    missing = f"NO BROWSER FOUND ({', '.join(BROWSERS)}): THE REPORT IS NOT LOOKED AT"
    if os.environ.get("CI"):
        pytest.fail(missing)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{missing}")
    pytest.skip(missing)


def opened(browser: str, page: str, folder: Path) -> Opened:
    """Open `page` as wide as on a phone; `folder` holds what that takes."""
    probed = page.replace(*POLICY).replace("</head>", PROBE, 1)
    (folder / "page.html").write_text(probed, encoding="utf-8")
    frame, log = folder / "frame.html", folder / "network.json"
    frame.write_text(FRAME, encoding="utf-8")
    own = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}")
    command = [browser, *OPTIONS, *own, "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seen = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert seen, done.stderr
    return Opened(json.loads(markup.unescape(seen[1])), requests(log))


def requests(log: Path) -> list[str]:
    """URLs in Chromium's log that a page asked for; the browser's own errands have no origin."""
    written = json.loads(log.read_text(encoding="utf-8"))
    start = written["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    begun = [event["params"] for event in written["events"] if event["type"] == start]
    asked = [each for each in begun if each.get("initiator") != "not an origin" and "url" in each]
    return [each["url"] for each in asked if not each["url"].startswith(("file:", "data:"))]


@pytest.fixture(scope="module")
def shown(browser: str, standing: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    page = standing.report_html.read_text(encoding="utf-8")
    return opened(browser, page, tmp_path_factory.mktemp("browser"))


def test_nothing_is_fetched_and_nothing_refused(shown: Opened) -> None:
    assert shown.requests == []
    assert shown.seen["refused"] == []


def test_a_fetch_would_be_seen(browser: str, standing: RunFolder, tmp_path: Path) -> None:
    page = standing.report_html.read_text(encoding="utf-8")
    image = '<img src="http://elsewhere.invalid/x.png" alt="">'
    without_policy = re.sub(r"<meta http-equiv=[^>]*>", "", page)
    tried = opened(browser, without_policy.replace("<main>", f"<main>{image}"), tmp_path)
    assert tried.requests == ["http://elsewhere.invalid/x.png"]


def test_the_policy_refuses_what_a_page_should_not_fetch(
    browser: str, standing: RunFolder, tmp_path: Path
) -> None:
    page = standing.report_html.read_text(encoding="utf-8")
    image = '<img src="http://elsewhere.invalid/x.png" alt="">'
    tried = opened(browser, page.replace("<main>", f"<main>{image}"), tmp_path)
    assert tried.requests == []
    assert tried.seen["refused"] == ["http://elsewhere.invalid/x.png"]


def test_every_figure_is_an_image_with_words(shown: Opened) -> None:
    assert len(shown.seen["figures"]) == 15  # five charts, two matrices, eight inputs
    for said, caption in zip(shown.seen["figures"], shown.seen["captions"], strict=True):
        assert re.match(r"(img|image): .{30,}", said)
        assert len(caption) > 20


def test_every_picture_is_drawn(shown: Opened) -> None:
    assert shown.seen["pictures"] == [28] * 8


def test_a_phone_shows_it_without_scrolling_sideways(shown: Opened) -> None:
    assert shown.seen["window"] == PHONE
    assert shown.seen["outside"] == []
    assert shown.seen["page"] == PHONE


def test_long_words_do_not_widen_it(
    browser: str, folder: RunFolder, result: Result, tmp_path: Path
) -> None:
    word = "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetz"
    classes = [f"{word}{number}" for number in range(10)]
    about = {**result.dataset, "classes": classes, "name": word, "source": word * 3}
    long = replace(result, experiment=word, dataset=about, environment={word: word}, main="errors")
    replace(long, warnings=[word * 2], seconds={word: 1.0}).write(folder.result)
    folder.config.write_text(f"{word}: {{{word}: {word}{word}}}")
    write_report(folder)
    page = folder.report_html.read_text(encoding="utf-8")
    seen = opened(browser, page, tmp_path).seen
    assert seen["outside"] == []
    assert seen["page"] == seen["window"] == PHONE
