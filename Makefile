# make demo | test | check | bench | validity. Everything lives in .venv; delete that folder to start afresh.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check bench validity clean format
.DEFAULT_GOAL := help

help:
	@sed -n '1p' Makefile | cut -c3-

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch goes in first and by its exact version, so that no other package pulls in another build of it.
$(VENV)/.torch: $(BIN)/python
	$(PIP) torch==2.13.0
	@touch $@

$(VENV)/.local: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.local

demo: $(VENV)/.local
	$(BIN)/saltus demo --store evidence -o report.html

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

validity: $(VENV)/.dev
	$(BIN)/python -m tests.validity

bench: $(VENV)/.dev
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) evidence report.html
