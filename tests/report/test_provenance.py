"""Settings and provenance as text."""

from dataclasses import replace

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import read
from kdistill.report.provenance import data, origin, settings


def test_every_setting_is_there_under_the_key_that_overrides_it(folder: RunFolder) -> None:
    assert settings(read(folder).config) == [
        ("run", "name mnist_ensemble, seed 3"),
        ("dataset", "Mnist, source bundled, path ${oc.env:HOME}/mnist"),
        ("teacher", "Ensemble, members 5"),
        ("teacher.model", "Mlp, widths [1200, 1200], dropout 0.5"),
        ("loss", "Mixture"),
        ("loss.parts[0]", "SoftTargets, temperature 8.0, hard_weight 0.1"),
        ("fit", "epochs 20, batch 128"),
        ("fit.optimizer", "SGD, lr 0.1, nesterov true"),
    ]


def test_origin_flattens_the_environment(result: Result) -> None:
    assert origin(result) == [
        ("seed", "3"),
        ("config hash", "0123456789abcdef"),
        ("teacher hash", "abad1dea"),
        ("python", "3.11.2"),
        ("packages torch", "2.15.0"),
        ("commit", "c0ffee1"),
    ]


def test_data_without_a_note_has_no_empty_entry(result: Result) -> None:
    assert ("examples", "3,500 train, 500 validation, 10,000 test") in data(result)
    silent = replace(result, dataset={**result.dataset, "note": ""})
    assert "note" not in dict(data(silent))
