"""Text and arrays that may be a stranger's come in by few doors, and no program is started."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdistill

PACKAGE = Path(kdistill.__file__).parent
TEXT = {"artifacts/text.py"}
ARRAYS = {"artifacts/arrays.py"}
# what reads a format, and the files that may call it
PARSERS = {
    "json.load": TEXT,
    "json.loads": TEXT,
    "json.JSONDecoder": TEXT,
    **dict.fromkeys(
        ("yaml.load", "yaml.load_all", "yaml.safe_load", "yaml.safe_load_all", "yaml.full_load"),
        TEXT,
    ),
    **dict.fromkeys(("yaml.unsafe_load", "yaml.parse", "yaml.compose", "yaml.scan"), TEXT),
    "omegaconf.OmegaConf.load": TEXT,
    **dict.fromkeys(("numpy.load", "numpy.fromfile", "torch.load"), ARRAYS),
    **dict.fromkeys(("safetensors.safe_open", "safetensors.deserialize"), ARRAYS),
    **dict.fromkeys(("safetensors.torch.load", "safetensors.torch.load_file"), ARRAYS),
    **dict.fromkeys(("safetensors.numpy.load", "safetensors.numpy.load_file"), ARRAYS),
    **dict.fromkeys(("pickle.load", "pickle.Unpickler", "scipy.io.loadmat"), set()),
    "torch.from_file": {"artifacts/row_file.py"},
    "zipfile.ZipFile": {"artifacts/archives.py", *ARRAYS},
    "numpy.lib.format.read_array": ARRAYS,
    "numpy.loadtxt": {"data/packaged.py"},
    "PIL.Image.open": {"data/pictures.py"},
    **dict.fromkeys(("gzip.open", "gzip.decompress", "tarfile.open"), {"data/recordings.py"}),
    **dict.fromkeys(("soundfile.SoundFile", "soundfile.read"), {"data/log_mel.py"}),
    # programs: which one runs may be for a stranger's settings or PATH to say
    **dict.fromkeys(("subprocess.run", "subprocess.Popen", "subprocess.check_output"), set()),
    **dict.fromkeys(("os.system", "os.popen", "os.execv", "os.execvp"), set()),
}


def calls(source: str) -> Iterator[str]:
    """Full names of what a module calls or mentions, under whatever name it has imported them."""
    tree, known = ast.parse(source), dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.split(".")[0]
                known[each.asname or first] = each.name if each.asname else first
        elif isinstance(node, ast.ImportFrom):
            known |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            first, _, rest = ast.unparse(node).partition(".")
            if first in known:
                yield f"{known[first]}.{rest}" if rest else known[first]


def test_no_other_file_reads_these_formats() -> None:
    for file in PACKAGE.rglob("*.py"):
        place = file.relative_to(PACKAGE).as_posix()
        for name in calls(file.read_text(encoding="utf-8")):
            assert place in PARSERS.get(name, {place}), f"{place} calls {name}"


@pytest.mark.parametrize("name", PARSERS)
def test_a_call_is_seen_however_it_is_imported(name: str) -> None:
    module, _, function = name.rpartition(".")
    room, _, inner = module.rpartition(".")
    forms = [f"import {module}\n{name}(1)", f"import {module} as m\nm.{function}(1)"]
    forms = [f"from {module} import {function} as f\nf(1)"] if inner == "OmegaConf" else forms
    forms += [f"from {room} import {inner} as m\nm.{function}(1)"] if room else []
    assert all(name in set(calls(form)) for form in forms)
