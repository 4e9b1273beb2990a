"""Examples in the README and in docs/ run, and the commands exist."""

import pathlib
import re
import shlex

import jax
import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL
    )


TUTORIALS = ("docs/own_data.md",)
"""Pages whose examples continue each other."""


def examples(page):
    found = blocks(page, "python")
    return ["".join(found)] if page in TUTORIALS else found


EXAMPLES = [
    pytest.param(page, code, id=f"{page} {number}")
    for page in PAGES
    for number, code in enumerate(examples(page))
    if page != "docs/scaling.md"  # one device here; tests/sharded runs it on 8
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_examples_run(page, code):
    with jax.numpy_rank_promotion("allow"):  # JAX's default
        exec(compile(code, page, "exec"), {"__name__": "example"})


def commands():
    lines = "".join("".join(blocks(page, "sh")) for page in PAGES)
    joined = lines.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in joined if "'" not in line]


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = [words[1] for words in commands() if words[:1] == ["make"]]
    assert {"run", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_modules_exist():
    modules = [words[2] for words in commands() if words[:2] == ["python", "-m"]]
    assert modules
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_fields_exist():
    from noisejax import training

    known = training.to_dict(training.Config())
    mentioned = re.findall(r"--config\.(\w+)\.(\w+)=", "".join(PAGES.values()))
    assert mentioned
    for section, field in mentioned:
        assert field in known[section], f"{section}.{field}"


def test_links_point_to_files():
    for page, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 250


def test_ci_runs_the_gate():
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()
