"""The run folder: what counts as finished, and a history that a crash cannot spoil."""

from pathlib import Path

import pytest
import torch
import yaml

from kdistill.artifacts.files import write_json
from kdistill.artifacts.run_folder import RunFolder, append_line
from kdistill.artifacts.text import read_json_lines
from kdistill.errors import Occupied, UserError


def test_a_folder_with_a_result_is_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.result, {})
    assert folder.finished() is folder


def test_why_a_folder_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there: no such run folder"):
        RunFolder(tmp_path / "there").finished()
    with pytest.raises(UserError, match=r"no result\.json, the run is not finished"):
        RunFolder(tmp_path).finished()
    write_json(RunFolder(tmp_path).failed, {"message": "x"})
    with pytest.raises(UserError, match=r"no result\.json, the run failed"):
        RunFolder(tmp_path).finished()


def test_every_file_of_a_run_has_its_own_name(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    paths = {getattr(folder, name) for name in names}
    assert len(paths) == len(names) > 10
    assert all(tmp_path in path.parents for path in paths)


def test_lines_appended_are_lines_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert read_json_lines(path) == []
    for epoch in range(3):
        append_line(path, {"epoch": epoch, "stage": "é\n"})
    assert read_json_lines(path) == [{"epoch": epoch, "stage": "é\n"} for epoch in range(3)]


def test_a_last_line_cut_anywhere_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_line(path, {"epoch": 1})
    append_line(path, {"epoch": 2, "loss": 0.25})
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert read_json_lines(path) == [{"epoch": 1}]
    path.write_bytes(whole)
    assert len(read_json_lines(path)) == 2


@pytest.mark.parametrize("damage", [b'{"epoch": ', b"\xff\xfe", b"3"])
def test_a_damaged_line_before_the_last_is_named(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"epoch": 1}\n' + damage + b'\n{"epoch": 3}\n')
    with pytest.raises(UserError, match=r"history\.jsonl:2: damaged") as told:
        read_json_lines(path)
    assert "\n" not in str(told.value)


def begun(path: Path, config: dict[str, object]) -> RunFolder:
    folder = RunFolder(path)
    folder.begin(config)
    folder.config.write_text(yaml.safe_dump(config))
    return folder


CONFIG = {"seed": 1, "loss": {"temperature": 4.0}, "device": {"threads": 1}}


def test_a_run_of_the_same_config_goes_on_with_what_is_there(tmp_path: Path) -> None:
    folder = begun(tmp_path, CONFIG)
    append_line(folder.history, {"epoch": 1})
    folder.history.write_text(folder.history.read_text() + '{"epo')  # killed while it wrote
    folder.student.write_text("weights")
    folder.begin({**CONFIG, "device": {"threads": 2}})
    append_line(folder.history, {"epoch": 2})
    assert read_json_lines(folder.history) == [{"epoch": 1}, {"epoch": 2}]
    assert folder.student.read_text() == "weights"


@pytest.mark.parametrize("state", ["unfinished", "finished"])
def test_a_run_of_another_config_is_refused(state: str, tmp_path: Path) -> None:
    folder = begun(tmp_path, CONFIG)
    folder.student.write_text("weights")
    if state == "finished":
        folder.result.write_text("{}")
    with pytest.raises(Occupied, match=r"loss\.temperature is 4\.0 there, 8\.0 here") as told:
        folder.begin({**CONFIG, "loss": {"temperature": 8.0}})
    assert "\n" not in str(told.value)
    assert folder.student.read_text() == "weights"


def test_a_failed_run_gives_way_to_another_config(tmp_path: Path) -> None:
    folder = begun(tmp_path, CONFIG)
    for file in (folder.failed, folder.student, folder.history, folder.stages):
        file.write_text("earlier")
    folder.keep("answers", {"x": torch.zeros(1)})
    mine = {"notes.txt", "mine.safetensors"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    folder.begin({**CONFIG, "seed": 2})
    assert {each.name for each in tmp_path.iterdir()} == {*mine, "resume"}
    assert not any(folder.work.iterdir())


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.b", "A", "\n"])
def test_nothing_is_kept_under_a_name_that_leads_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run keeps a file named"):
        RunFolder(tmp_path).kept(name)
    with pytest.raises(UserError, match="no run keeps a file named"):
        RunFolder(tmp_path).keep(f"x{name}.y", {})


def test_a_finished_run_without_a_config_is_never_written_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.result.write_text("{}")
    folder.student.write_text("weights")
    with pytest.raises(Occupied, match="holds a finished run; name another folder"):
        folder.begin({})
    assert folder.student.read_text() == "weights"


def test_only_one_may_work_in_a_folder(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run").locked(),
        pytest.raises(Occupied, match="another process works on this run"),
        RunFolder(tmp_path / "run").locked(),
    ):
        pass
    with RunFolder(tmp_path / "run").locked():
        pass
