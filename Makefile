# Every target works in a fresh clone with Python >= 3.11 and make: it sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The tests of a folder share costly fixtures, so a folder stays in one process (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadgroup
# The versions that development uses. `make setup CONSTRAINTS=` takes the newest instead.
CONSTRAINTS ?= constraints-dev.txt
# `make setup TORCH=cpu` installs PyTorch without CUDA, from PyTorch's own index. On Linux, the default contains CUDA.
TORCH ?= default
ifeq ($(filter $(TORCH),default cpu),)
$(error TORCH is $(TORCH), but must be `default` or `cpu`)
endif
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix --constraint ,$(CONSTRAINTS))

# The other dependencies come from the usual index, which has versions that the one of PyTorch lacks.
INSTALL_TORCH := $(if $(filter cpu,$(TORCH)),$(INSTALL) --no-deps --index-url https://download.pytorch.org/whl/cpu torch torchvision)

# Says how much an installation downloads, unless there is a PyTorch already. The sizes are those of November 2026.
define announce
@ls -d $(VENV)/lib/python*/site-packages/torch >/dev/null 2>&1 || \
  if [ $(TORCH) = cpu ] || [ "$$(uname -s)" != Linux ]; then \
    echo "installing sslreg and PyTorch into $(VENV): downloads about 0.4 GB"; \
  else \
    echo "installing sslreg and PyTorch with CUDA into $(VENV): downloads about 3.2 GB"; \
    command -v nvidia-smi >/dev/null || \
      echo "no NVIDIA GPU found: 'make $(MAKECMDGOALS) TORCH=cpu' downloads only about 0.4 GB (stop this with Ctrl-C)"; \
  fi
endef

.PHONY: help setup constraints editor demo test test-slow coverage gpu check docs evidence format build clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps record what is installed. A change of these files installs again.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(announce)
	$(INSTALL_TORCH)
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(VENV)/.installed
	@echo "installing the development tools into $(VENV): downloads about 0.2 GB"
	$(INSTALL) --editable '.[dev]'
	@touch $@

setup: $(VENV)/.installed-dev  ## create .venv with everything that development needs

constraints: $(VENV)/.installed-dev  ## upgrade all dependencies and record their versions in constraints-dev.txt
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	{ head -1 constraints-dev.txt; $(BIN)/python -m pip freeze --exclude-editable; } > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints-dev.txt

# The tests that need the language server look for it here. They are skipped without it.
editor: | $(BIN)/python  ## install the YAML language server for the tests of completion (needs npm)
	npm install --silent --no-audit --no-fund --prefix $(VENV)/lib/node yaml-language-server@2
	ln -sf ../lib/node/node_modules/.bin/yaml-language-server $(BIN)/yaml-language-server

demo: $(VENV)/.installed  ## train SimCLR on the digits (about two minutes on two cores)
	$(BIN)/sslreg train specs/digits-simclr.yaml

test: $(VENV)/.installed-dev  ## run the tests, except the slow ones, on all cores (at most eight)
	$(PYTEST) -m "not slow" $(COVERAGE)

test-slow: $(VENV)/.installed-dev  ## run the slow tests: killed runs, several processes, pages, packaging, a browser
	SSLREG_KILLS=$(or $(SSLREG_KILLS),20) $(PYTEST) -m slow

coverage: COVERAGE := --cov --cov-report=term  ## run `make test` and fail below the coverage floor in pyproject.toml
coverage: test

# Nothing here has run on CUDA yet. Without a GPU, the tests of kernels run in Triton's interpreter (make test-slow).
gpu: $(VENV)/.installed-dev  ## run the tests that need a GPU, and measure it
	@$(BIN)/python -c "import sys, torch; torch.cuda.is_available() or \
	  sys.exit('make gpu needs an NVIDIA GPU and a PyTorch with CUDA; PyTorch sees no GPU here')"
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m benchmarks.device_views
	$(BIN)/python -m benchmarks.nt_xent --device cuda
	$(BIN)/python -m benchmarks.step --device cuda

check: $(VENV)/.installed-dev  ## check lint, format, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev  ## regenerate the reference and the architecture picture, and build the site in site/
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/plugin_reference.py
	$(BIN)/python docs/layers.py
	$(BIN)/zensical build --clean --strict

evidence: $(VENV)/.installed-dev  ## compare every method with others and with itself, for docs/recipes/evidence.md
	$(BIN)/python docs/evidence.py

format: $(VENV)/.installed-dev  ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(VENV)/.installed-dev  ## build the wheel and the source distribution in dist/
	$(BIN)/python -m build

clean:  ## remove what the other targets create
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist runs site
