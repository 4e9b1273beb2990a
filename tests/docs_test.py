"""The site documents every public module. `make docs` checks everything else."""

import pathlib
import re

import noisejax
from tests.api_test import MODULES

PACKAGE = pathlib.Path(noisejax.__file__).parent
DOCS = pathlib.Path(__file__).parents[1] / "docs"


def test_the_api_reference_has_a_page_for_every_public_module():
    listed = re.findall(r"^ +noisejax\.(\S+)$", (DOCS / "api.md").read_text(), re.M)
    packages = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    assert sorted(listed) == sorted({*MODULES, *packages})


def test_every_page_is_reached_from_the_landing_page():
    """Every page is in a table of contents, so that readers can find it."""
    lists = "".join(path.read_text() for path in DOCS.glob("*.md"))
    for path in DOCS.rglob("*.md"):
        name = path.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or re.search(rf"^{name}$", lists, re.M), name
