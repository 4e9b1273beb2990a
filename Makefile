# make run   trains the embedded default and prints its test error
# make test  the whole gate
# Both build a private environment in .venv first. PYTHON=... chooses the interpreter.

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/digits-$(shell date +%Y%m%d-%H%M%S)

.PHONY: run test bench clean

run: .venv/library
	$(BIN)/python -m noisejax.train --workdir=$(RUN)

test: .venv/test
	$(BIN)/ruff format --check noisejax benchmarks tests
	$(BIN)/ruff check noisejax benchmarks tests
	$(BIN)/python -m pytest -n 2 --dist=loadfile --ignore=tests/sharded
	XLA_FLAGS=--xla_force_host_platform_device_count=8 \
	  $(BIN)/python -m pytest tests/sharded

bench: .venv/bench
	$(BIN)/python -m benchmarks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/library: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/%: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
