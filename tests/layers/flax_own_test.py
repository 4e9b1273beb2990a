"""Flax's own tests of Dropout, from its source distribution, with our layers put in."""

import functools
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

SHIM = '''
"""A conftest for Flax's tests: its Dropout is ours."""
import flax.linen, flax.nnx
from flax.nnx.nn import stochastic
import noisejax.layers, noisejax.layers.nnx

flax.linen.Dropout = noisejax.layers.Dropout
flax.nnx.Dropout = stochastic.Dropout = noisejax.layers.nnx.Dropout
'''


@functools.cache
def flax_tests(folder: pathlib.Path) -> pathlib.Path | None:
    """Flax's source distribution of the installed version; None: no registry."""
    version = importlib.metadata.version("flax")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary=flax", f"--dest={folder}"]
    result = subprocess.run(
        [*command, f"flax=={version}"], capture_output=True, timeout=120
    )
    archives = list(folder.glob("flax-*.tar.gz"))
    if result.returncode or not archives:
        return None
    with tarfile.open(archives[0]) as archive:
        # Before Python 3.11.4 there are no filters to choose from.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    return folder / f"flax-{version}" / "tests"


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    folder = flax_tests(tmp_path_factory.mktemp("flax"))
    if folder is None:
        pytest.skip("the package registry with Flax's sources is not reachable")
    (folder / "conftest.py").write_text(SHIM)
    return folder


@pytest.mark.parametrize(
    ("file", "chosen", "least"),
    [
        ("linen/linen_test.py", "dropout", 6),
        ("linen/summary_test.py", "", 8),
        ("nnx/nn/stochastic_test.py", "", 4),
        ("nnx/summary_test.py", "", 3),
        ("nnx/integration_test.py", "", 10),
    ],
)
def test_flaxs_own_tests_pass_with_our_dropout(tests, file, chosen, least):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(tests), "-o", "filterwarnings=", "-o", "addopts="]
    result = subprocess.run(
        [*command, "-k", chosen, str(tests / file)],
        capture_output=True,
        text=True,
        cwd=tests,
        # One of Flax's tests of summaries expects colours.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm-256color"},
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
    passed = int(result.stdout.split(" passed")[0].split()[-1])
    assert passed >= least, result.stdout
