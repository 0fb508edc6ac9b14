"""A stranger's config files: nothing that they say to Hydra runs code, leaves a mark or hangs."""

from pathlib import Path

import hydra
import pytest
import yaml
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import OmegaConf

from kdistill.cli import main as kdistill
from kdistill.cli._hydra import hydra_command
from kdistill.cli._hydra_nodes import refuse_nodes
from kdistill.cli._references import refuse_growth
from kdistill.config.build import trusted
from kdistill.errors import UserError
from kdistill.paths import CONFIG_DIR, cache_folder

MARK = "mark"  # the file that must not appear
CODE = "import pathlib; pathlib.Path('mark').touch(); x = dict"
LAUNCHERS = ("basic", "joblib", "submitit_local", "submitit_slurm")


@pytest.fixture
def stranger(desk, monkeypatch):
    """Compose `train` with WORDS and the stranger's conf/experiment/x.yaml; what it comes to."""
    (desk / "repo").mkdir()
    (desk / "repo/hubconf.py").write_text(CODE)
    jobs = []
    monkeypatch.setattr("kdistill.cli.train.main", hydra_command("train")(jobs.append))

    def run(says, *words, mode=RunMode.RUN):
        text = says if isinstance(says, str) else yaml.safe_dump(says)
        write("experiment/x", f"# @package _global_\n{text}")
        # to find the mode, Hydra composes the whole config once more
        monkeypatch.setattr(Hydra, "get_mode", lambda *_, **config: mode)
        jobs.clear()
        code = kdistill(["train", "--config-dir", "conf", "+experiment=x", *words])
        return code, list(jobs)

    return run


def write(name, text):
    file = Path("conf", f"{name}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def hub():
    """A call that runs CODE wherever Hydra, or logging, makes what a config names."""
    return {"repo_or_dir": str(Path("repo").absolute()), "model": "x", "source": "local"}


def hostile():
    """Values of every kind, each of which would leave the mark where it is acted upon."""
    mark = str(Path(MARK).absolute())
    return (
        {"evil": {"_target_": "torch.hub.load", **hub()}},
        {"handlers": {"evil": {"()": "torch.hub.load", **hub()}}},
        {"handlers": {"evil": {"class": "logging.FileHandler", "filename": mark}}},
        {"KDISTILL_TRUST": "os", "PATH": "repo"},
        mark,
        f"x\ntouch {mark}",
        f"${{oc.decode:{mark}}}",
        [f"touch {mark}", "pkg://repo", f"hydra.run.dir={mark}"],
        "torch.hub.load",
        10**9,
    )


def leaves(node, key=""):
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    elif key:
        yield key


def schema():
    """Every key of Hydra's own config, of its options' and of the launchers' and sweepers'."""
    Plugins.instance()  # imports those that are installed
    stored = ConfigStore.instance().repo["hydra"]
    keys = set()
    for group, node in stored.items():
        options = {"": node} if group == "config.yaml" else node
        if not isinstance(options, dict):
            continue
        below = "" if group == "config.yaml" else group
        for option in options.values():
            if hasattr(option, "node"):
                plain = OmegaConf.to_container(option.node, resolve=False)
                keys.update(leaves(plain, below))
    for file in Path(hydra.__file__).parent.glob("conf/hydra/*/*.yaml"):
        text = file.read_text()
        below = "" if "@package hydra" in text else file.parent.name
        keys.update(leaves(yaml.safe_load(text), below))
    return sorted(keys)


def nested(key, value):
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def test_the_schema_is_all_there():
    keys = schema()
    assert {"callbacks", "job.env_set", "searchpath", "job_logging.handlers.file.filename"} < {
        *keys
    }
    assert {"launcher.setup", "launcher.submitit_folder", "launcher.temp_folder"} < {*keys}
    assert len(keys) > 80


def test_no_key_of_hydra_in_a_file_leaves_a_mark(stranger, desk, capfd):
    values = hostile()
    for place, key in enumerate(schema()):
        value = values[place % len(values)]
        mode = (RunMode.RUN, RunMode.MULTIRUN)[place % 2]
        code, jobs = stranger({"hydra": nested(key, value)}, mode=mode)
        error = capfd.readouterr().err
        assert (code, jobs) == (2, []), (key, value)
        assert error.count("\n") == 1, error
        assert not list(desk.rglob(MARK)), (key, value)


def test_every_value_is_held_to_the_list(desk):
    looked_at_later = ("run.dir", "sweep.dir", "sweeper.params")
    for key in schema():
        for value in hostile() if key not in looked_at_later else ():
            if isinstance(value, str) and not value.startswith(("$", "x\n")):
                continue  # a word may name a partition, say
            with pytest.raises(UserError, match="hydra"):
                refuse_nodes(OmegaConf.create({"hydra": nested(key, value)}), "x.yaml")


@pytest.mark.parametrize(
    ("says", "key"),
    [
        ({"hydra": {"run": {"dir": "/MARK"}}}, "hydra.run.dir"),
        ({"hydra": {"run": {"dir": "a/../../MARK"}}}, "hydra.run.dir"),
        ({"hydra": {"run": {"dir": "${oc.env:HOME}/MARK"}}}, "hydra.run.dir"),
        ({"name": "../../../MARK"}, "hydra.run.dir"),
        ({"hydra": {"run": {"dir": "runs/\\${name}"}}}, "hydra.run.dir"),
        ({"hydra": {"sweep": {"dir": "runs/\\${name}"}}}, "hydra.sweep.dir"),
        ({"hydra": {"sweep": {"subdir": "a" * 60 + "!"}}}, "hydra.sweep.subdir"),
        ({"hydra": None}, "hydra"),
        ({"hydra": "${nodes}", "nodes": {"verbose": True}}, "hydra"),
        ({"hydra": {"callbacks": {"one_folder": None}}}, "hydra.callbacks.one_folder"),
        ({"hydra": {"callbacks": "${nodes}"}, "nodes": {}}, "hydra.callbacks"),
    ],
)
def test_what_a_file_may_not_say(says, key, stranger, desk, capfd):
    assert stranger(says) == (2, [])
    error = capfd.readouterr().err
    assert f"{key}: " in error
    assert "KDISTILL_TRUST=hydra" in error
    assert not list(desk.parent.rglob(MARK.upper()))


@pytest.mark.parametrize(
    "params",
    [
        {"hydra.job.env_set.PATH": "repo"},
        {"+hydra.callbacks.evil": "{_target_: os.abort}"},
        {"student@hydra.callbacks.evil": "mlp"},
        {"hydra/launcher": "submitit_local"},
        {"seed": "range(0,1000000000)"},
        {"seed": "sort(range(0,1000000000))"},
        {"seed": "range(0,1,1e-12)"},
        {"seed": "${many}"},
        {"_target_": "torch.hub.load", **{"repo_or_dir": "repo", "model": "x", "source": "local"}},
        {"seed": {"_target_": "torch.hub.load", "repo_or_dir": "repo", "model": "x"}},
        {f"k{n}": "1,2,3,4,5" for n in range(20)},
        {"seed": "[" * 900 + "]" * 900},
        {"seed": "1," * 10_000 + "1"},
    ],
)
def test_a_sweep_in_a_file_says_nothing_to_hydra_and_ends(params, stranger, capfd):
    says = {"hydra": {"mode": "MULTIRUN", "sweeper": {"params": params}}}
    assert stranger(says, mode=RunMode.MULTIRUN) == (2, [])
    assert "x.yaml: hydra.sweeper.params" in capfd.readouterr().err


@pytest.mark.parametrize(
    "subdir",
    [
        "../../MARK",
        "/MARK",
        "a/../../MARK",
        "${hydra.job.num}/../../MARK",
    ],
)
def test_a_sweep_whose_jobs_leave_its_folder_is_refused(subdir, stranger, desk, capfd):
    says = {
        "hydra": {"sweep": {"subdir": subdir}, "sweeper": {"params": {"seed": "1,2"}}},
    }
    assert stranger(says, mode=RunMode.MULTIRUN) == (2, [])
    assert "hydra.sweep.subdir" in capfd.readouterr().err
    assert not list(desk.parent.rglob(MARK.upper()))


ELSEWHERE = {  # a file's keys can reach hydra's place by other ways than its text
    "package": ("# @package hydra.callbacks\nevil: {_target_: os.abort}\n", "[/group/evil]"),
    "package in a list": ("evil: {_target_: os.abort}\n", "[/group/evil@hydra.callbacks]"),
    "a shipped option": ("", "[/student@hydra.callbacks.evil: mlp]"),
    "a group of Hydra's": ("handlers: {}\n", "[override /hydra/job_logging: evil]"),
    "a launcher's option": ("setup: [touch mark]\n", "[override /hydra/launcher: evil]"),
}


@pytest.mark.parametrize("way", ELSEWHERE)
def test_no_way_round_leads_to_hydra(way, stranger, capfd):
    text, defaults = ELSEWHERE[way]
    for name in ("group/evil", "hydra/job_logging/evil", "hydra/launcher/evil"):
        write(name, text)
    assert stranger(f"defaults: {defaults}\n") == (2, [])
    assert "KDISTILL_TRUST=hydra" in capfd.readouterr().err


def test_no_file_is_taken_from_beside_hydras_own(stranger, desk, capfd):
    write("evil", "hydra: {callbacks: {e: {_target_: torch.hub.load}}}\n")
    up = "../" * 30 + str(desk / "conf/evil").lstrip("/")
    assert stranger(f"defaults: ['/hydra/env@_global_: {up}']\n") == (2, [])
    assert stranger(f"defaults: [{{/hydra/env@_global_: {up}}}]\n") == (2, [])
    assert "a config lies" in capfd.readouterr().err


def test_a_folder_in_a_file_leads_through_no_link(stranger, desk, capfd):
    (desk.parent / f"{desk.name}-victim").mkdir()
    (desk / "linked").symlink_to(desk.parent / f"{desk.name}-victim")
    assert stranger({"hydra": {"run": {"dir": "linked/x"}}}) == (2, [])
    assert "hydra.run.dir" in capfd.readouterr().err


def test_another_primary_config_keeps_where_hydra_writes(stranger, desk):
    write("train", "hydra: {run: {dir: mine}}\n")
    assert stranger({})[0] == 0
    assert not (desk / "mine/.hydra").exists()


def test_no_file_stands_for_hydras_own_config(stranger):
    write("hydra/config", "job: {env_set: {PATH: repo}}\n")
    assert stranger({}) == (2, [])


@pytest.mark.parametrize("place", ["pkg://repo", "repo"])
def test_a_primary_config_names_no_place_to_search(place, stranger, capfd):
    write("mine", f"hydra: {{searchpath: ['{place}']}}\n")
    assert stranger("", "--config-name", "mine") == (2, [])
    assert "mine.yaml: hydra.searchpath: " in capfd.readouterr().err


def test_what_files_may_say(stranger, desk):
    says = {
        "name": "swept",
        "hydra": {
            "mode": "MULTIRUN",
            "sweep": {"dir": "swept/${name}", "subdir": "job${hydra.job.num}"},
            "sweeper": {"params": {"seed": "1,2", "loss.temperature": 4}},
        },
    }
    code, jobs = stranger(says, mode=RunMode.MULTIRUN)
    assert code == 0
    assert [(job.seed, job.loss.temperature) for job in jobs] == [(1, 4), (2, 4)]
    assert (desk / "swept/swept/job1").is_dir()


def test_a_copy_of_our_primary_config_may_stay_as_it_is(stranger):
    write("train", (CONFIG_DIR / "train.yaml").read_text() + "mine: 1\n")
    code, jobs = stranger("")
    assert (code, jobs[0].mine) == (0, 1)


@pytest.mark.parametrize("by", ["words", "trust"])
def test_the_person_at_the_keyboard_may_say_all_of_it(by, stranger, desk, monkeypatch):
    folder = desk.parent / f"{desk.name}-outside"
    if by == "trust":
        monkeypatch.setenv("KDISTILL_TRUST", "hydra")
        says, words = {"hydra": {"run": {"dir": str(folder)}, "verbose": True}}, []
    else:
        says, words = {}, [f"hydra.run.dir={folder}", "hydra.verbose=true"]
    assert stranger(says, *words)[0] == 0
    assert folder.is_dir()


def test_trust_is_what_the_person_gave_before_any_file_was_read(stranger, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "kdistill.cli.train.main",
        hydra_command("train")(lambda cfg: seen.append((trusted(), cache_folder().name))),
    )
    words = ("+hydra.job.env_set.KDISTILL_TRUST=os", "+hydra.job.env_set.KDISTILL_CACHE=/elsewhere")
    assert stranger({}, *words)[0] == 0
    assert seen == [((), "cache")]


BOMBS = {
    "aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)),
    "references": "t0: [1,2,3,4,5,6,7,8,9]\n"
    + "".join(f"t{n + 1}:\n" + f"  - ${{t{n}}}\n" * 9 for n in range(9)),
    "relative references": "a:\n  t0: [1,2,3,4,5,6,7,8,9]\n"
    + "".join(f"  t{n + 1}:\n" + f"    - ${{..t{n}}}\n" * 9 for n in range(9)),
    "texts": "t0: xxxxxxxxx\n" + "".join(f"t{n + 1}: {f'${{t{n}}}' * 9}\n" for n in range(9)),
    "references inside each other": "t: '" + "${a:" * 3000 + "}" * 3000 + "'\n",
    "references made of references": "t0: [1,2,3,4,5,6,7,8,9]\nn0: t0\n"
    + "".join(f"n{n + 1}: t{n + 1}\nt{n + 1}:\n" + f"  - ${{${{n{n}}}}}\n" * 9 for n in range(9)),
    "dots": "t: '${" + "." * 300_000 + "}'\n",
    "depth": "t: " + "[" * 5000 + "]" * 5000 + "\n",
    "digits": "t: " + "9" * 6000 + "\n",
    "defaults in a circle": "defaults: [/group/a]\n",
    "defaults that multiply": "defaults: [/group/l0]\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_one_line(bomb, stranger, capfd):
    write("group/a", "defaults: [b]\n")
    write("group/b", "defaults: [a]\n")
    for level in range(6):
        names = ", ".join(f"/group/l{level + 1}@k{n}" for n in range(9))
        write(f"group/l{level}", f"defaults: [{names}]\n")
    write("group/l6", "v: 1\n")
    assert stranger(BOMBS[bomb]) == (2, [])
    error = capfd.readouterr().err
    assert error.startswith("kdistill: ")
    assert error.count("\n") == 1


def test_growth_counts_what_references_stand_for():
    refuse_growth({"a": "x" * 1000, "b": ["${a}"] * 900})
    with pytest.raises(UserError, match="references"):
        refuse_growth({"a": "x" * 1000, "b": ["${a}"] * 1100})
    with pytest.raises(UserError, match="references"):
        refuse_growth({"a": {"b": "x" * 1000, "c": ["${..b}"] * 1100}})
    with pytest.raises(UserError, match="itself"):
        refuse_growth({"a": "${b}", "b": "${a}"})
