# Everything works from a fresh clone with Python >= 3.11 and make: each target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help setup editor demo test check docs format clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps hold what was installed; a changed pyproject.toml installs again.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/.installed-dev  ## make the environment with everything that development needs

# Installed where the tests look; without it they skip what they would ask an editor.
editor: | $(BIN)/python  ## add the YAML language server, for the tests that speak to it (needs npm)
	npm install --silent --no-audit --no-fund --prefix $(VENV)/lib/node yaml-language-server@2
	ln -sf ../lib/node/node_modules/.bin/yaml-language-server $(BIN)/yaml-language-server

demo: $(VENV)/.installed  ## train SimCLR on the digits (about two minutes on two cores)
	$(BIN)/sslreg train specs/digits-simclr.yaml

test: $(VENV)/.installed-dev  ## run the tests, on all cores (at most eight)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadgroup

check: $(VENV)/.installed-dev  ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev  ## write the reference anew and build the documentation's site into site/
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/plugin_reference.py
	$(BIN)/zensical build --clean --strict

format: $(VENV)/.installed-dev  ## mend formatting and what lint can mend itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the targets above made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist runs site
