"""Every preset is a configuration that trains, and the documentation names it."""

import pathlib
import runpy

import pytest

from noisejax import training

ROOT = pathlib.Path(__file__).parents[1]
PRESETS = sorted((ROOT / "presets").glob("*.py"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_trains(path, tmp_path):
    """The preset trains narrow layers for two epochs on a given data set."""
    get_config = runpy.run_path(str(path))["get_config"]
    assert get_config("mnist").data.name == "mnist"
    config = get_config()
    training.check_config(config)
    config.model.widths, config.model.blocks, config.model.token_width = (8, 8), 1, 8
    config.training.epochs = 2
    config.optimizer.warmup_epochs = 0.0
    summary = training.train(config, tmp_path)
    assert 0 < summary["test_error_percent"]["mean"] < 100


def test_presets_are_documented():
    text = (ROOT / "docs" / "training.md").read_text()
    missing = [p.stem for p in PRESETS if f"presets/{p.stem}.py" not in text]
    assert not missing and PRESETS
