"""The type checker passes, and every public argument and result has a type."""

import json
import os
import pathlib
import re
import subprocess
import sys

import noisejax

ROOT = pathlib.Path(noisejax.__file__).parents[1]

MISSING = re.compile(r"(Type|Return type) annotation .*is missing")


def run_checker(*arguments, cwd=ROOT):
    result = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
    )
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def untyped(package, cwd=ROOT):
    """Return public arguments and results of `package` that have no type."""
    report = run_checker("--verifytypes", package, "--ignoreexternal", cwd=cwd)
    assert report["typeCompleteness"]["symbols"], report["generalDiagnostics"]
    return {
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in report["typeCompleteness"]["symbols"]
        for diagnostic in symbol["diagnostics"]
        if MISSING.match(diagnostic["message"])
    }


def test_the_package_passes_the_checker():
    errors = [
        f"{d['file']}:{d['range']['start']['line'] + 1}: {d['message']}"
        for d in run_checker()["generalDiagnostics"]
    ]
    assert not errors, "\n".join(errors)


def test_public_arguments_and_results_have_types():
    assert untyped("noisejax") == set()


def test_an_untyped_public_argument_is_found(tmp_path):
    package = tmp_path / "sample"
    package.mkdir()
    (package / "py.typed").touch()
    (package / "__init__.py").write_text(
        "def public(x: int, y) -> int:\n    return x\n"
    )
    assert untyped("sample", tmp_path) == {
        'sample.public: Type annotation for parameter "y" is missing'
    }
