# The entry points of a checkout. They need Python >= 3.11 and make; everything else goes into a virtual environment.
#   make PYTHON=python3.13 VENV=/some/where test

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test lint docs bench clean

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# `wildcard` sees a new plugin's folder without a change here.
PROJECTS := $(patsubst %/pyproject.toml,%,$(wildcard core/pyproject.toml plugins/*/pyproject.toml))
SOURCES := $(wildcard core/src plugins/*/src)

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, found " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml $(addsuffix /pyproject.toml,$(PROJECTS))
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet $(addprefix -e ./,$(PROJECTS)) -e . --group test --group lint --group docs
	@touch $@

install: $(INSTALLED)  ## Install everything, editable, into .venv.

demo: install  ## Run an Experiment: a database, a Model and an Ensemble that talk to it.
	$(BIN)/python docs/examples/demo.py

test: install  ## Run all tests: those that can share the machine in parallel, then the others.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not serial"
	$(BIN)/python -m pytest -m serial

lint: install  ## Check style, types and news fragments.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES) benchmarks
	for project in . $(PROJECTS); do \
	    $(BIN)/towncrier build --draft --version next --dir "$$project" > /dev/null; \
	done

docs: install  ## Build the documentation into docs/_build/html; a warning is an error.
	$(BIN)/sphinx-build -n -W --keep-going -b html docs docs/_build/html

bench: install  ## Measure every figure of docs/performance.md; prints JSON.
	for script in benchmarks/[a-z]*.py; do $(BIN)/python "$$script"; done

clean:  ## Remove what make made.
	rm -rf .venv .venv-* docs/_build docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis
