PYTHON ?= python3
BIN := .venv/bin
PUBLIC := models/barcodebert-public

.PHONY: demo test check fix bench help

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 8

demo: .venv/demo  ## the main job on an invented release, into ./demo
	$(BIN)/bioscan5m demo demo

test: .venv/dev  ## all tests
	$(BIN)/pytest -n 2

check: .venv/dev  ## format, lint, types, the generated cards
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bioscan5m card loading_script/README.md --check
	$(BIN)/bioscan5m card $(PUBLIC)/README.md --results $(PUBLIC)/results.json --check

fix: .venv/dev  ## format, repair lint, write the generated cards
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/bioscan5m card loading_script/README.md
	$(BIN)/bioscan5m card $(PUBLIC)/README.md --results $(PUBLIC)/results.json

bench: .venv/dev  ## speed and memory beside the peer, into benchmarks/
	$(BIN)/python benchmarks/run.py

.venv/base: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	@touch $@

.venv/demo: .venv/base
	$(BIN)/pip install --quiet -e '.[train,eval,curate]'
	@touch $@

.venv/dev: .venv/base
	$(BIN)/pip install --quiet -e '.[dev]'
	@touch $@
