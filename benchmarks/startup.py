"""Startup: time until a process has imported the library and made its first step.

Every call is a fresh interpreter. The first step is one epoch of one step of the MLP
784-1024-1024-10, with JAX's compilation cache empty, or filled by the call before.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks._bench import Target, main, measure

IMPORTS = {
    "python alone": "pass",
    "import jax": "import jax",
    "import flax.linen": "import flax.linen",
    "import flax.nnx": "import flax.nnx",
    "import noisejax": "import noisejax",
    "import noisejax.layers": "import noisejax.layers",
    "import torch": "import torch",
}

FIRST_STEP = """
from benchmarks._epochs import BATCH, Epochs, make_config, make_dataset
from noisejax.training._program import build_program
program = build_program(make_config(1024), make_dataset(BATCH))
print(Epochs(program)().item())
"""


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare imports, then cold and warm starts."""
    names = ("import flax.linen", "import noisejax") if smoke else tuple(IMPORTS)
    imports = {name: _process(IMPORTS[name]) for name in names}
    if "import torch" in names and not _can(IMPORTS["import torch"]):
        imports["import torch"] = None
    records = measure(
        "start: imports, in a fresh interpreter",
        imports,
        reference="import flax.linen",
        floor=None if smoke else "python alone",
        repeats=repeats,
        targets=[Target("import noisejax", "import flax.linen", 1.15)],
    )
    return records if smoke else records + _first_step(repeats)


def _first_step(repeats: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        warm = {
            "JAX_COMPILATION_CACHE_DIR": os.path.join(folder, "warm"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        cold = warm | {"JAX_COMPILATION_CACHE_DIR": os.path.join(folder, "cold")}
        start_cold = _process(FIRST_STEP, cold)

        def emptied():
            shutil.rmtree(cold["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
            return start_cold()

        def same(results):
            assert len(set(results.values())) == 1, results

        names = "cold compilation cache", "warm compilation cache"
        return measure(
            "start: from nothing to the end of the first training step",
            {names[0]: emptied, names[1]: _process(FIRST_STEP, warm)},
            reference=names[0],
            repeats=repeats,
            same=same,
        )


def _process(code: str, environment: dict[str, str] | None = None):
    """Return a function that runs `code` in a new interpreter, for its output."""

    def call():
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | (environment or {}),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return call


def _can(code: str) -> bool:
    return not subprocess.run(
        [sys.executable, "-c", code], capture_output=True
    ).returncode


if __name__ == "__main__":
    main(run)
