"""The README does what it says: its examples run, its commands are real."""

import pathlib
import re
import shlex

import jax
import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code[:40])
def test_examples_run(code):
    with jax.numpy_rank_promotion("allow"):  # as it is for who pastes it
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def commands():
    return [
        shlex.split(line, comments=True) for line in "".join(blocks("sh")).splitlines()
    ]


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
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


def test_fields_exist():
    from noisejax import training

    known = training.to_dict(training.Config())
    given = re.findall(r"--config\.(\w+)\.(\w+)=", README)
    assert given
    for section, field in given:
        assert field in known[section], f"{section}.{field}"


def test_ci_calls_the_readme():
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()
