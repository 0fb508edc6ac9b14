"""The first word: which command it picks, how fast, and what it says when there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from kdistill.cli import COMMANDS, main
from kdistill.errors import UserError

INSTALLED = Path(sys.executable).with_name("kdistill")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["nope"]])
def test_answers_without_importing_anything_heavy(words):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kdistill", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "kdistill.cli" in imported
    assert not imported & {"torch", "hydra", "omegaconf", "rich", "numpy"}


def test_completion_of_a_run_imports_no_torch():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kdistill", "-sc", "query=bash"],
        capture_output=True,
        text=True,
        check=True,
        env={"COMP_LINE": "kdistill train loss="},
    )
    assert "loss=soft_targets" in done.stdout.split()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "rich", "numpy"}


def test_the_installed_script_carries_the_exit_code():
    done = subprocess.run([INSTALLED, "trian"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "kdistill: no command 'trian'; did you mean train?\n"


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["--version"], 0), (["qq"], 2)]
)
def test_exit_code_of_the_first_word(words, code):
    assert main(words) == code


def test_help_names_every_command(capsys):
    main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"kdistill {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (UserError("path: no such file"), 2, "kdistill: path: no such file\n"),
        (KeyboardInterrupt(), 130, "kdistill: interrupted\n"),
        (SystemExit(), 0, ""),
        (SystemExit(3), 3, ""),
    ],
)
def test_one_door_for_what_ends_a_command(raised, code, said, monkeypatch, capsys):
    def fail(argv):
        raise raised

    monkeypatch.setattr("kdistill.cli.list.main", fail)
    assert main(["list"]) == code
    assert capsys.readouterr().err == said


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch):
    def fail(argv):
        return 1 // 0

    monkeypatch.setattr("kdistill.cli.list.main", fail)
    with pytest.raises(ZeroDivisionError):
        main(["list"])


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kdistill ", set(COMMANDS)),
        ("kdistill c", {"check", "cache"}),
        ("kdistill train loss=soft", {"loss=soft_targets"}),
        ("kdistill check loss.temp", {"loss.temperature="}),
        ("kdistill train +experiment=mnist_e", {"+experiment=mnist_ensemble"}),
        ("kdistill report run", set()),
    ],
)
def test_tab_completes(line, offered, monkeypatch, capsys):
    monkeypatch.setenv("COMP_LINE", line)
    assert main(["-sc", "query=bash"]) == 0
    assert set(capsys.readouterr().out.split()) == offered


@pytest.mark.parametrize("name", ["$(touch pwned)", "`touch\tpwned`", "x;touch pwned", "\x1b[31m"])
def test_a_file_named_for_a_shell_is_not_offered(name, tmp_path, monkeypatch, capsys):
    """bash expands the words that complete a line, and so would run a command in one."""
    (tmp_path / "loss").mkdir()
    (tmp_path / f"loss/{name}.yaml").write_text("a: 1\n")
    (tmp_path / "loss/mine.yaml").write_text("a: 1\n")
    monkeypatch.setenv("KDISTILL_CONFIGS", str(tmp_path))
    monkeypatch.setenv("COMP_LINE", "kdistill train loss=")
    assert main(["-sc", "query=bash"]) == 0
    offered = capsys.readouterr().out.split()
    assert {"loss=mine", "loss=logits"} <= set(offered)
    assert not set("".join(offered)) & set("$`;()\x1b")
