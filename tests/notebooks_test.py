"""The notebooks run from top to bottom, are short, and are stored without outputs."""

import ast
import io
import json
import pathlib

import jax
import pytest
from matplotlib.figure import Figure

FOLDER = pathlib.Path(__file__).parents[1] / "colabs"
PATHS = sorted(FOLDER.glob("*.ipynb"))
MAX_LINES = 10


@pytest.fixture(autouse=True)
def _bounded_memory():
    yield
    jax.clear_caches()


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def cells(request):
    return json.loads(request.param.read_text())["cells"]


def code_of(cells):
    """Return the code of every cell, without the magics of notebooks."""
    for cell in cells:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            yield "\n".join("" if line[:1] == "%" else line for line in lines)


def test_all_notebooks_are_present():
    assert len(PATHS) == 10


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_they_are_notebooks_without_outputs(path):
    notebook = json.loads(path.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_they_have_a_title_and_explanations(cells):
    kinds = [cell["cell_type"] for cell in cells]
    assert "".join(cells[0]["source"]).startswith("# ")
    assert kinds[:2] == ["markdown", "code"] and kinds.count("markdown") >= 6


def test_only_the_first_cell_installs_and_only_in_colab(cells):
    first, *others = code_of(cells)
    module = ast.parse(first)
    assert 'if "google.colab" in sys.modules' in first and "pip" in first
    kinds = [type(node) for node in module.body]
    assert kinds == [ast.Import, ast.If]
    assert not any("pip" in code or "subprocess" in code for code in others)


def test_functions_are_short(cells):
    for code in code_of(cells):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MAX_LINES, f"{node.name} has {lines} lines"


def test_they_run(cells):
    namespace = {"__name__": "notebook"}
    figures = 0
    with jax.numpy_rank_promotion("allow"):  # as for a user
        for number, code in enumerate(code_of(cells)):
            shown = run(code, f"<code cell {number}>", namespace)
            if isinstance(shown, Figure):
                shown.savefig(io.BytesIO(), dpi=50)
                figures += 1
    assert figures >= 2


def run(code, name, namespace):
    """Run a cell, and return what a notebook would show: its last expression."""
    module = ast.parse(code)
    last = module.body.pop() if isinstance(module.body[-1], ast.Expr) else None
    exec(compile(module, name, "exec"), namespace)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)
