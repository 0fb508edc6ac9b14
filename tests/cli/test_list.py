"""`kdistill list`: groups, options, descriptions, the user's own."""

import pytest

from kdistill.cli import main
from kdistill.cli.list import MEANINGS, description, groups
from kdistill.config.check import GROUPS
from kdistill.paths import CONFIG_DIR


def test_every_group_of_a_run_has_a_meaning():
    assert set(MEANINGS) == {*GROUPS, "experiment"}
    assert set(groups([CONFIG_DIR])) <= set(MEANINGS)


def test_lists_the_groups(capsys):
    assert main(["list"]) == 0
    assert "\nloss        how the student's answers" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", sorted(CONFIG_DIR.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_every_shipped_option_opens_with_its_command_and_one_sentence(path):
    lines = [line for line in path.read_text().splitlines() if "@package" not in line]
    assert lines[0].startswith("# kdistill train ")
    assert description(path)[1:].endswith(".")


def test_lists_the_options_of_a_group(capsys):
    assert main(["list", "fit"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("adamw  AdamW with one cycle")
    assert "_loop" not in shown
    assert shown.endswith("choose one with fit=OPTION; kdistill list fit OPTION shows its keys\n")


def test_shows_the_keys_of_an_option_with_the_part_that_it_shares(capsys):
    assert main(["list", "fit", "sgd"]) == 0
    shown = capsys.readouterr().out
    assert "momentum: 0.9" in shown
    assert "epochs: 20  # passes over the transfer set, >= 1" in shown
    assert main(["list", "fit", "sgdd"]) == 2
    assert "fit has no option 'sgdd'; did you mean sgd?" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_users_option_stands_beside_and_before_the_shipped(how, tmp_path, monkeypatch, capsys):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss/mine.yaml").write_text("# kdistill train loss=mine\n# My own.\na: 1\n")
    (tmp_path / "loss/logits.yaml").write_text("# x\n# Other logits.\n")
    (tmp_path / "flavour").mkdir()
    words = ["list", "loss"]
    if how == "flag":
        words += ["--config-dir", str(tmp_path)]
    else:
        monkeypatch.setenv("KDISTILL_CONFIGS", str(tmp_path))
    assert main(words) == 0
    shown = " ".join(capsys.readouterr().out.split())  # columns are as wide as the longest name
    assert f"mine My own. ({tmp_path}/loss/mine.yaml)" in shown
    assert "logits Other logits." in shown
    assert "soft_targets Match" in shown
    main([words[0], *words[2:]])
    assert "\nflavour\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["los"], "no config group 'los'; did you mean loss?"),
        (["zzz"], "choose from experiment, dataset"),
        (["..", "--config-dir", "."], "no config group '..'"),
        (["loss", "--config-dir", "nodir"], "there is no folder nodir"),
        (["loss", "--nope"], "unrecognized arguments: --nope"),
    ],
)
def test_a_mistake_is_one_line(words, said, capsys):
    assert main(["list", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# kdistill train x=y\n# What it is.\na: 1\n", "What it is."),
        ("# @package _global_\n# kdistill train\n# What it is.\n", "What it is."),
        ("a: 1\n", ""),
        ("", ""),
    ],
)
def test_description_is_the_second_comment(text, said, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    assert description(tmp_path / "x.yaml") == said
