"""Outputs equal the golden ones (tests/goldens), and committed tables are current."""

import json
import os

import jax
import numpy as np
import pytest

from tests.goldens import make

RELATIVE = {"layers": 1e-4, "training": 2e-4, "commands": 1e-3, "back_projection": 1e-4}
"""Section -> relative tolerance, where rounding adds up over many steps."""

EXACT = os.environ.get("NOISEJAX_EXACT_GOLDENS")
"""Compare hashes of trained parameters too: on the machine that wrote the file only."""


def flat(value, at=""):
    """Return the leaves of a JSON document by path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, v in items for k, v in flat(v, f"{at}/{name}").items()}
    return {at: value}


@pytest.fixture
def quick_compilation(monkeypatch):
    """Compile without optimisation, which changes values by rounding only."""
    if EXACT:
        yield
        return
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # of the commands
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("section", make.SECTIONS)
@pytest.mark.filterwarnings("default")
def test_outputs_are_those_of_the_file(section):
    expected = flat(json.loads((make.FOLDER / f"{section}.json").read_text()))
    with jax.debug_key_reuse(False), jax.numpy_rank_promotion("allow"):
        found = flat(make.make(section))
    jax.clear_caches()  # bounds the memory of a worker that runs all sections
    tolerance = RELATIVE.get(section, 1e-5)
    wrong = [f"{name} is missing" for name in expected.keys() - found.keys()]
    for name in expected.keys() & found.keys():
        old, new = expected[name], found[name]
        if name.endswith("sha256") and not EXACT:
            continue
        if isinstance(old, str) or isinstance(new, str):
            same = old == new
        else:
            same = np.isclose(new, old, rtol=tolerance, atol=tolerance, equal_nan=True)
        if not same:
            wrong.append(f"{name} was {old}, is {new}")
    assert not wrong, "\n".join(sorted(wrong)[:40])


def test_committed_tables_follow_from_their_results(tmp_path):
    """Committed results are readable and give the committed tables."""
    for name, lines in make.tables(tmp_path).items():
        committed = make.ROOT / "results" / name / "table.md"
        assert lines == committed.read_text().splitlines(), committed
