"""Whatever became of a file, it is read or refused in one line; scripts/fuzz.py tries many more."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
mutants, readers = (import_module(f"fuzzing.{name}") for name in ("mutants", "readers"))
sys.path.remove(str(SCRIPTS))

MUTANTS = 12
REFUSED = ("npy", "wav FLAC")  # sound files, but not of the kind that is asked for


@pytest.mark.parametrize("name", readers.READERS)
def test_every_mutant_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    reader = readers.READERS[name]
    path, sound = readers.folder_of(reader, tmp_path), reader.make()
    expected = "refused" if name in REFUSED else "read"
    assert readers.outcome(reader, path, sound) == expected
    for number in range(1 if reader.slow else MUTANTS):
        assert readers.outcome(reader, path, mutants.mutant(sound, (7, name, number)))


def test_mutants_differ_and_are_the_same_for_the_same_seed() -> None:
    sound = b'{"numbers": [1, 2, 345]}' * 10
    made = [mutants.mutant(sound, (0, number)) for number in range(200)]
    assert made == [mutants.mutant(sound, (0, number)) for number in range(200)]
    assert len(set(made)) > 150
    for way in mutants.WAYS:
        for content in (b"", b"7", sound):
            assert isinstance(way(content, mutants.random.Random(0)), bytes)


def test_a_refusal_must_be_one_line_that_names_the_file(tmp_path: Path) -> None:
    def reader(said: str) -> object:
        def read(path: Path) -> None:
            raise readers.UserError(said.format(path))

        return readers.Reader("x", bytes, read)

    path = tmp_path / "x"
    assert readers.outcome(reader("{}: damaged"), path, b"") == "refused"
    for said in ("{}: damaged\nand more", "something is damaged"):
        with pytest.raises(AssertionError):
            readers.outcome(reader(said), path, b"")
