"""The commit of a checkout: what git says, found without git, and nothing but hex digits."""

import os
import subprocess
from pathlib import Path

import pytest

from kdistill.artifacts.environment import commit

HEX = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *words: str) -> str:
    """What git says there, whatever its settings on this machine are."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    settings = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    ran = subprocess.run(
        ["git", *who, *words], cwd=folder, env=settings, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of one commit on the branch a/b."""
    git(tmp_path, "init", "-q", "main")
    git(tmp_path / "main", "checkout", "-q", "-b", "a/b")
    git(tmp_path / "main", "commit", "-q", "--allow-empty", "-m", "x")
    return tmp_path / "main"


def test_it_is_what_git_says(checkout: Path) -> None:
    (checkout / "inner").mkdir()
    for prepare in (
        [],
        ["pack-refs", "--all"],
        ["commit", "-q", "--allow-empty", "-m", "newer than what is packed"],
        ["checkout", "-q", "--detach"],
        ["worktree", "add", "-q", "-b", "c", "../worktree"],
    ):
        if prepare:
            git(checkout, *prepare)
        head = git(checkout, "rev-parse", "HEAD")[:12]
        assert commit(checkout) == commit(checkout / "inner") == head
    worktree = checkout.parent / "worktree"
    git(worktree, "commit", "-q", "--allow-empty", "-m", "y")
    assert commit(worktree) == git(worktree, "rev-parse", "HEAD")[:12] != commit(checkout)
    git(checkout, "submodule", "--quiet", "add", str(worktree), "module")
    assert commit(checkout / "module") == commit(worktree)


def test_the_settings_of_the_checkout_run_no_program(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "config", "core.fsmonitor", f"touch {tmp_path}/mark; false")
    assert commit(checkout) is not None
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "head",
    [
        *("", HEX[:39], f"{HEX}0", HEX.replace("a", "g"), HEX.upper(), "\0" * 40),
        *("ref: refs/heads/gone", "ref: refs/../../secret", "ref: ../secret", "ref: secret"),
        *("ref: refs/heads/itself", "ref: /etc/hostname", "ref: refs//heads", "x" * (9 << 20)),
    ],
)
def test_a_head_that_names_no_commit_is_none(head: str, tmp_path: Path) -> None:
    heads = tmp_path / ".git" / "refs" / "heads"
    heads.mkdir(parents=True)
    (heads / "itself").write_text("ref: refs/heads/itself")
    for place in (tmp_path, tmp_path / ".git"):
        (place / "secret").write_text(HEX)
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert commit(tmp_path) is None


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None
    os.mkfifo(tmp_path / ".git" / "HEAD")  # reading it would wait
    assert commit(tmp_path) is None


def test_a_place_that_no_file_can_have_is_none(tmp_path: Path) -> None:
    for place in ("a\0b", "/dev/null", "x" * 5000, ""):
        (tmp_path / ".git").write_text(f"gitdir: {place}")
        assert commit(tmp_path) is None


def test_a_checkout_of_sha_256(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ab" * 32)
    assert commit(tmp_path) == "abababababab"
