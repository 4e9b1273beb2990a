"""Every promise names a test that exists, and every line names a test."""

import re

import pytest

from tests.promises import FOLDER, named_tests


@pytest.mark.parametrize("name", named_tests())
def test_it_exists(name):
    path, _, function = name.partition("::")
    assert re.search(rf"^def {function}\(", (FOLDER / path).read_text(), re.MULTILINE)


def test_every_promise_has_a_test():
    lines = (FOLDER / "PROMISES.md").read_text().splitlines()
    promises = [line for line in lines if line.startswith("- ")]
    assert len(promises) > 50
    for line in promises:
        assert "::test_" in line, line
