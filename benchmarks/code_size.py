"""Counts the lines of noisejax by package, and the frames and files of calls.

  PYTHONPATH=TREE python benchmarks/code_size.py

prints two tables about the tree of noisejax that PYTHONPATH selects. "Docs" are
docstrings and comments. A frame is a call of a Python function of noisejax; calls are
counted by `sys.setprofile`, after the same call has compiled everything.
"""

import ast
import collections
import contextlib
import io
import pathlib
import sys
import tempfile
import tokenize
from collections.abc import Callable

import jax
from absl import logging
from jax import numpy as jnp

import noisejax
from noisejax import layers, training

ROOT = pathlib.Path(noisejax.__file__).parent


def lines(source: str) -> collections.Counter[str]:
    """Return the numbers of lines of code, of docs, and of all lines."""
    kinds = ["code" if line.strip() else "" for line in source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text and isinstance(node.value.value, str):
            for i in range(node.lineno - 1, node.end_lineno):
                kinds[i] = "docs"
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        alone = token.line.strip().startswith("#")
        if token.type == tokenize.COMMENT and alone:
            kinds[token.start[0] - 1] = "docs"
    return collections.Counter(kinds) + collections.Counter(total=len(kinds))


def print_lines() -> None:
    """Print a line per package."""
    sizes, files = collections.defaultdict(collections.Counter), collections.Counter()
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).parts[0]
        for package in (part if (ROOT / part).is_dir() else "(files)", "all"):
            sizes[package] += lines(path.read_text())
            files[package] += 1
    print(f"{'package':16} {'files':>5} {'code':>6} {'docs':>6} {'total':>6}")
    for package in sorted(sizes, key=lambda name: (name == "all", name)):
        counts = [sizes[package][kind] for kind in ("code", "docs", "total")]
        print(f"{package:16} {files[package]:5} " + " ".join(f"{n:6}" for n in counts))


def visited(call: Callable[[], object]) -> collections.Counter[str]:
    """Return the frames of noisejax in a call, by file."""
    files = collections.Counter()

    def count(frame, event, _):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(str(ROOT)):
            files[name] += 1

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files


def print_calls() -> None:
    """Print frames and files of eager calls and of an epoch."""
    x, key = jnp.ones((8, 16)), jax.random.key(0)

    def layer(name):
        module = getattr(layers, name)(0.5, deterministic=False)
        return module.apply({}, x, rngs={"dropout": key})

    print(f"\n{'call':34} {'frames':>7} {'files':>5}")
    for name in ("RandomDropout", "Dropout"):
        layer(name)
        files = visited(lambda name=name: layer(name))
        print(f"{f'layers.{name}(0.5), eager':34} {files.total():7} {len(files):5}")
    short, long = (visited(lambda n=n: train(n)) for n in (2, 4))
    more = (long - short).total() / 2
    print(f"{'an epoch of the digits':34} {more:7.0f} {len(long - short):5}")


def train(epochs: int) -> None:
    """Train a small network on the embedded digits."""
    config = training.Config()
    config.model.widths, config.training.epochs = (16,), epochs
    silence = contextlib.redirect_stderr(io.StringIO())  # the progress bar
    with tempfile.TemporaryDirectory() as folder, silence:
        training.train(config, folder)


if __name__ == "__main__":
    logging.set_verbosity(logging.ERROR)
    print_lines()
    print_calls()
