"""Tests that PROMISES.md names: `python -m tests.promises [--sharded]` prints them."""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent

SLOW = {"readme_test.py::test_examples_run"}
"""Tests that `make check` leaves to `make test`."""


def named_tests() -> list[str]:
    """Node ids such as "noise/mask_test.py::test_raw_keys_are_keys", in order."""
    text = (FOLDER / "PROMISES.md").read_text()
    return list(dict.fromkeys(re.findall(r"`([\w/]+\.py::\w+)`", text)))


def main():
    """Prints the tests of one process, or with --sharded those that need 8 devices."""
    sharded = "--sharded" in sys.argv
    quick = [test for test in named_tests() if test not in SLOW]
    chosen = [test for test in quick if test.startswith("sharded/") == sharded]
    print(*(f"tests/{test}" for test in chosen))


if __name__ == "__main__":
    main()
