"""Imports between packages go in one direction, as read from the sources."""

import ast
import pathlib
import subprocess
import sys

import pytest

import noisejax

ROOT = pathlib.Path(noisejax.__file__).parent

PURE = {
    *("_dataclass", "_floating", "_explicit", "_version", "noise", "activations"),
    *("objectives", "backprojection", "diagnostics"),
}
"""Parts that know JAX and chex only."""

MAY_IMPORT = {
    "_dataclass": set(),
    "_floating": set(),
    "_explicit": set(),
    "_version": set(),
    "noise": {"_floating", "_explicit"},
    "activations": {"_floating"},
    "objectives": {"_floating", "_explicit", "noise"},
    "backprojection": {"_floating", "_explicit", "noise"},
    "diagnostics": {
        "_dataclass",
        "_floating",
        "noise",
        "activations",
        "objectives",
        "figures",
    },
    "layers": {"noise"},
    "data": set(),
    "models": {"_explicit", "noise", "activations", "layers"},
    "experiments": set(),
    "figures": set(),
    "training": {
        *(
            "_dataclass",
            "_version",
            "noise",
            "activations",
            "objectives",
            "backprojection",
        ),
        *("diagnostics", "layers", "data", "models"),
    },
    "_default_config": {"training"},
    "_commands": {"data", "training"},
    "train": {"_commands", "training"},
    "evaluators": {
        *("noise", "objectives", "diagnostics"),
        *("backprojection", "data", "models", "training", "figures"),
    },
    "__main__": set(),
    "project": {"_commands", "evaluators"},
    "diagnose": {"_commands", "evaluators"},
    "plot": {"_commands", "evaluators", "figures"},
    "prepare_data": {"_commands", "data"},
    "reproduce": {
        *("_commands", "evaluators", "experiments", "training", "data", "figures"),
        *("models", "activations", "noise", "objectives", "diagnostics"),
        "backprojection",
    },
}
"""Part of noisejax -> the other parts that it may import."""

OUTSIDE = {"jax", "jaxtyping", "numpy", "chex"}
"""What pure parts may import besides the standard library."""

MAX_LINES = 300

LONG = {"noise/_random_bits.py": 500}
"""Files that may be longer, since their parts are read together -> their limit."""


def sources():
    return sorted(ROOT.rglob("*.py"))


def part_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path):
    """Return the modules that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            if node.module == "noisejax":
                yield from (f"noisejax.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows(path):
    part = part_of(path)
    if part == "__init__":
        return
    assert part in MAY_IMPORT, f"give {part!r} its place in MAY_IMPORT"
    for module in imports(path):
        top, *rest = module.split(".")
        if top == "noisejax" and rest:
            target = rest[0]
            assert target == part or target in MAY_IMPORT[part], f"{part} -> {target}"
        elif part in PURE and top not in sys.stdlib_module_names:
            assert top in OUTSIDE, f"{part} is pure and imports {top}"


def test_no_part_imports_itself_by_a_detour():
    def reach(part, seen=()):
        assert part not in seen, f"cycle: {' -> '.join([*seen, part])}"
        for target in MAY_IMPORT[part]:
            reach(target, (*seen, part))

    for part in MAY_IMPORT:
        reach(part)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short(path):
    limit = LONG.get(path.relative_to(ROOT).as_posix(), MAX_LINES)
    assert len(path.read_text().splitlines()) <= limit, "one idea a file"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "import noisejax",
            ["flax", "tensorflow_datasets", "matplotlib", "tensorflow"],
        ),
        ("import noisejax; noisejax.layers", ["flax.nnx.nn", "tensorflow_datasets"]),
        ("import noisejax.layers.nnx", ["tensorflow_datasets", "matplotlib"]),
    ],
)
def test_imports_are_lazy(code, absent):
    """Importing noisejax does not load packages that are not used."""
    check = f"import sys; {code}; print([m for m in {absent} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]", out.stdout
