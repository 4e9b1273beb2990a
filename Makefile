# make run   trains the embedded default and prints its test error
# make check the gate's quick part: format, lint, goldens, a test per promise
# make test  the whole gate
# make dist  sdist and wheel, checked, and tried in a clean environment
# make nightly  the whole gate on JAX's nightly build, which replaces JAX in .venv
# make audit known vulnerabilities of the dependencies
# make docs  builds the site in build/docs, without a network. DOCS_ONLINE=1 links to
#            JAX, Flax and Optax; DOCS_REPOSITORY=URL adds buttons for GitHub and Colab
# All build a private environment in .venv first. PYTHON=... chooses the interpreter.

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/digits-$(shell date +%Y%m%d-%H%M%S)

.PHONY: run check test lint dist nightly audit bench docs clean

run: .venv/library
	$(BIN)/python -m noisejax.train --workdir=$(RUN)

EIGHT := XLA_FLAGS=--xla_force_host_platform_device_count=8
PYTEST := $(BIN)/python -m pytest -n 2 --dist=loadfile

check: .venv/test lint
	$(PYTEST) tests/goldens_test.py tests/promises_test.py \
	  $$($(BIN)/python -m tests.promises)
	$(EIGHT) $(PYTEST) $$($(BIN)/python -m tests.promises --sharded)

test: .venv/test lint
	$(PYTEST) --ignore=tests/sharded
	$(EIGHT) $(PYTEST) tests/sharded

lint: .venv/test
	$(BIN)/ruff format --check noisejax benchmarks presets tests
	$(BIN)/ruff check noisejax benchmarks presets tests

# The first example of the README runs from the wheel, away from the sources (-I).
dist: .venv/dist
	rm -rf dist build/clean
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/clean
	build/clean/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	awk '/^```/ {if (inside) exit; inside = /python/; next} inside' README.md \
	  > build/example.py
	cd build && clean/bin/python -I example.py

nightly: .venv/test
	$(BIN)/python -m pip install --quiet --upgrade --pre jax jaxlib \
	  --index-url https://us-python.pkg.dev/ml-oss-artifacts-published/jax/simple/
	$(MAKE) test

audit: .venv/dist .venv/library
	mkdir -p build
	$(BIN)/python -m pip freeze --exclude-editable > build/requirements.txt
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r build/requirements.txt

bench: .venv/bench
	$(BIN)/python -m benchmarks

docs: .venv/docs
	$(BIN)/python -m sphinx -c docs -W --keep-going -q . build/docs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/library: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/%: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv .cache build dist docs/api *.egg-info
