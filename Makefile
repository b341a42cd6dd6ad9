# Two commands: `make app` and `make test`. Both set up .venv on first use and not again until the pins change.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help app lab test quick audit lint bench look lock clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LAB := $(VENV)/.lab
DEV := $(VENV)/.dev
# The lock pins what pyproject.toml asks for: the app alone, with JupyterLab, or with the tools of the developers.
INSTALL = $(BIN)/python -m pip install $$([ -t 1 ] || echo --quiet) --constraint requirements.lock
# One thread per test worker and per benchmark: many threads fighting for few cores are slower than one each.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

app: $(READY) ## start the app and open it in the browser
	@$(BIN)/python -m notebooks

lab: $(LAB) ## open the rooms' notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

test: $(DEV) lint ## everything: lint, doctests, unit tests, browser tests
	@$(BIN)/python -m tests.browser
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --dist loadfile

quick: $(DEV) ## the fast tests: lint and everything but trained checks and browsers, under 90 seconds
	$(BIN)/ruff check .
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "not slow and not audit"

audit: $(DEV) ## long and random checks, by name: fresh seeds, random settings, every slider, every preset
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m audit tests

lint: $(DEV) ## ruff, pyright (strict on theory/), import-linter, marimo check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/marimo check --strict $(filter-out notebooks/__%,$(wildcard notebooks/*.py))

bench: $(DEV) ## speed: one ratio per line, the baseline measured in the same run
	$(ONE_THREAD) $(BIN)/python -m benchmarks

look: $(DEV) ## screenshots of every page and preset into look/
	@$(BIN)/python -m tests.browser
	@$(BIN)/python -m tests.look

lock: ## resolve pyproject.toml afresh into requirements.lock
	rm -rf .lock && $$(bash tests/python.sh) -m venv .lock
	.lock/bin/pip install --upgrade pip
	.lock/bin/pip install --editable '.[dev]'
	.lock/bin/pip freeze --all --exclude-editable | sed -E 's/\+(cpu|cu[0-9]+)$$//' \
	  | grep -vE '^(pip|nvidia-|cuda-|triton)' > requirements.lock
	rm -rf .lock

clean: ## remove the environment, caches and screenshots
	rm -rf $(VENV) .lock build *.egg-info look .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian splits venv from python3: where ensurepip is missing, the pip at hand fills the environment.
$(READY): pyproject.toml requirements.lock
	@echo "Setting up $(VENV) (first run only: some minutes, mostly the download of torch) ..."
	@python=$$(bash tests/python.sh); \
	"$$python" -m venv $(VENV) 2>/dev/null || { \
	  "$$python" -m venv --clear --without-pip $(VENV) && \
	  "$$python" -m pip --python $(BIN)/python install --quiet pip; }
	@$(INSTALL) --editable .
	@echo "Compiling the numerical kernels ..."
	@$(BIN)/python -m theory.cli.warm
	@touch $@

$(LAB): $(READY)
	@$(INSTALL) --editable '.[lab]'
	@touch $@

$(DEV): $(READY)
	@$(INSTALL) --editable '.[dev]'
	@touch $@
