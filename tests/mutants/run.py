"""Break one promise at a time, and check that the quick part of the gate fails.

    python -m tests.mutants.run                    all mutants of mutants.py
    python -m tests.mutants.run --only=sign,axis   these only
    python -m tests.mutants.run --check            only whether each text is found once

A mutant is applied to a temporary copy of the tree, where its tests are run. The exit
status is 0 if every mutant is killed.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tests.mutants.mutants import MUTANTS, Mutant
from tests.promises import named_tests

ROOT = pathlib.Path(__file__).parents[2]
COPIED = ("noisejax", "tests", "results", "setup.cfg", "pyproject.toml", "README.md")


def broken(mutant: Mutant, root: pathlib.Path) -> str:
    """The source of the mutant's file with the promise broken.

    Raises:
      ValueError: The old text is not found exactly once, or a test is not quick.
    """
    path = root / mutant.file
    text = path.read_text() if path.exists() else ""
    count = text.count(mutant.old)
    if count != 1:
        raise ValueError(
            f"{mutant.name}: the old text must occur once in {mutant.file}, it occurs "
            f"{count} times. Write the mutant for the code as it is now."
        )
    for test in mutant.tests:
        if test.partition("[")[0] not in named_tests():
            raise ValueError(f"{mutant.name}: {test} is not in PROMISES.md")
    return text.replace(mutant.old, mutant.new)


def survives(mutant: Mutant, tree: pathlib.Path) -> bool:
    """Return True if the tests pass on a tree that contains the mutant."""
    path = tree / mutant.file
    before = path.read_text()
    path.write_text(broken(mutant, tree))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAX_COMPILATION_CACHE_DIR": os.environ.get(
            "JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax")
        ),
    }
    if any(test.startswith("sharded/") for test in mutant.tests):
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
    try:
        result = subprocess.run(
            [*command, *(f"tests/{test}" for test in mutant.tests)],
            cwd=tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        path.write_text(before)
    if result.returncode not in (0, 1):  # 1: a test failed
        raise RuntimeError(f"{mutant.name}: pytest could not run\n{result.stdout}")
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="names of mutants, separated by commas")
    parser.add_argument("--check", action="store_true", help="do not run tests")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else [m.name for m in MUTANTS]
    unknown = set(chosen) - {m.name for m in MUTANTS}
    if unknown:
        parser.error(f"no mutants {sorted(unknown)}; choose from {names()}")
    stale = []
    for mutant in [m for m in MUTANTS if m.name in chosen]:
        try:
            broken(mutant, ROOT)
        except ValueError as error:
            stale.append(str(error))
    if stale:
        print(*stale, sep="\n")
    if stale or options.check:
        sys.exit(bool(stale))
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        for mutant in MUTANTS:
            if mutant.name in chosen:
                alive = survives(mutant, tree)
                survivors += [mutant.name] * alive
                state = "SURVIVED" if alive else "killed"
                print(f"{state:8}  {mutant.name}: {mutant.promise}", flush=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} killed")
    sys.exit(bool(survivors))


def names() -> str:
    return ", ".join(mutant.name for mutant in MUTANTS)


if __name__ == "__main__":
    main()
