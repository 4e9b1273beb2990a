"""The command `noisejax`, which lists and runs the other commands."""

import pathlib
import runpy
import sys

import pytest

import noisejax
from noisejax import __main__ as commands

ROOT = pathlib.Path(noisejax.__file__).parent


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_it_lists_every_command(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["noisejax", *arguments])
    assert commands.main() == 0
    printed = capsys.readouterr().out
    for name in commands.COMMANDS:
        assert f"  {name} " in printed
        assert (ROOT / f"{name}.py").is_file() or (
            ROOT / name / "__main__.py"
        ).is_file()


def test_an_unknown_command_lists_the_known_ones(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["noisejax", "trian"])
    assert commands.main() == 2
    assert "error: no command 'trian'" in capsys.readouterr().err


def test_it_runs_a_module_with_its_flags(monkeypatch):
    seen = {}

    def run_module(name, run_name):
        seen.update(name=name, run_name=run_name, argv=sys.argv)

    monkeypatch.setattr(runpy, "run_module", run_module)
    monkeypatch.setattr(sys, "argv", ["noisejax", "plot", "runs/a", "--workdir=x"])
    assert commands.main() == 0
    assert seen["name"] == "noisejax.plot" and seen["run_name"] == "__main__"
    assert seen["argv"] == ["noisejax plot", "runs/a", "--workdir=x"]
