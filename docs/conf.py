"""Sphinx configuration. The source folder is the repository, so that every page is the
committed file and its relative links work on the site and in the repository."""

import importlib
import inspect
import os
import pathlib
import sys

import noisejax

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

project, author, version = "noisejax", "the noisejax authors", noisejax.__version__
copyright = author
root_doc = "docs/index"
include_patterns = [
    *("docs/**.md", "docs/api/*.rst", "colabs/*.ipynb"),
    *("results/*/*.md", "benchmarks/results/*.md"),
    *("RESULTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "tests/PROMISES.md"),
]
extensions = [
    *("myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"),
    *("sphinx.ext.intersphinx", "sphinx.ext.viewcode", "sphinx-mathjax-offline"),
    "docstrings",
]
templates_path = [str(HERE / "_templates")]

html_theme = "sphinx_book_theme"
html_title = "noisejax"
html_theme_options = {"navbar_persistent": []}  # the search box of the sidebar suffices
if repository := os.environ.get("DOCS_REPOSITORY"):  # the URL of a GitHub repository
    html_theme_options |= {
        "repository_url": repository,
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }
html_additional_pages = {"index": "redirect.html"}  # root_doc lies in a folder
html_copy_source = False
html_static_path, html_css_files = ["_static"], ["site.css"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

default_role = "code"  # docstrings write `name`, as Markdown does
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_custom_sections = ["Reference"]

online = {
    "jax": ("https://docs.jax.dev/en/latest", None),
    "flax": ("https://flax.readthedocs.io/en/latest", None),
    "optax": ("https://optax.readthedocs.io/en/latest", None),
}
intersphinx_mapping = online if os.environ.get("DOCS_ONLINE") else {}


MODULES = [
    *("noise", "activations", "layers", "layers.nnx", "objectives"),
    *("backprojection", "diagnostics", "figures", "models", "data", "training"),
    *("evaluators", "experiments", "reproduce"),
]


def public_names(module):
    """Yield (name, autodoc directive) of what a module or its private files define."""
    for name, value in vars(importlib.import_module(module)).items():
        own = getattr(value, "__module__", "").startswith(module)
        if own and not name.startswith("_"):
            kind = "function" if inspect.isroutine(value) else "data"
            yield name, f"auto{'class' if inspect.isclass(value) else kind}"


public = {f"noisejax.{m}": [*public_names(f"noisejax.{m}")] for m in MODULES}
autosummary_context = {"public": public}
