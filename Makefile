# The first call of a target puts the packages of requirements.lock into .venv. It needs python3 with venv, or uv.
#
#   make forecast CONFIG=configs/dll.yaml    another experiment than config.yaml
#   make forecast ARGS=--dry-run             further arguments of snakemake; of pytest for `make test`
#   make test PYTHON=python3.12              the Python for a new .venv

CONFIG ?=
# quoted where a shell gets it: any path may be given
export CONFIG
ARGS ?=
PYTHON ?= python3 python3.13 python3.12 python3.11

VENV := .venv
STAMP := $(VENV)/.installed
# all extras but those of GPUs
LOCKED := workflow cluster theory fits export inference sbi docs dev
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
# files stay whole, because their tests share fixtures, and start in the order of collection, the dearest first
PYTEST := pytest --numprocesses=auto --maxprocesses=8 --dist=loadfile --no-loadscope-reorder
# last, because --configfile takes every word up to the next option
SNAKEMAKE_ARGS = $(ARGS) $(if $(CONFIG),--configfile "$$CONFIG")

.DEFAULT_GOAL := help
.PHONY: help forecast check-derivatives check-coverage validate test test-quick lint docs format benchmarks lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

forecast: $(STAMP) ## simulate, measure and forecast as config.yaml says; figures in results/<run>/figures
	$(IN_VENV) snakemake $(SNAKEMAKE_ARGS)

check-derivatives: $(STAMP) ## automatic derivatives against finite differences on the same seeds
	$(IN_VENV) snakemake check_derivatives $(SNAKEMAKE_ARGS)

check-coverage: $(STAMP) ## posteriors of parameters and initial field over maps whose truth is known; hours
	$(IN_VENV) snakemake check_coverage $(SNAKEMAKE_ARGS)

validate: $(STAMP) ## simulations compared with finer ones of the same phases, theory, published spectra and ray tracing
	$(IN_VENV) snakemake validate $(SNAKEMAKE_ARGS)

test: $(STAMP) ## the tests
	$(IN_VENV) $(PYTEST) $(ARGS)

test-quick: $(STAMP) ## the tests without those marked slow: to run before each commit
	$(IN_VENV) $(PYTEST) -m "not slow" $(ARGS)

lint: $(STAMP) ## style, types, dependency direction and workflow
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) snakefmt --check Snakefile workflow
	$(IN_VENV) mypy
	$(IN_VENV) lint-imports --no-logo
	$(IN_VENV) snakemake --lint

docs: $(STAMP) ## the documentation site in docs/_build/html; its notebooks run
	$(IN_VENV) sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html $(ARGS)

format: $(STAMP) ## rewrite the sources in the project's style
	$(IN_VENV) ruff check --fix .
	$(IN_VENV) ruff format .
	$(IN_VENV) snakefmt Snakefile workflow

benchmarks: $(STAMP) ## speed and memory compared with other codes
	$(IN_VENV) python benchmarks/run.py $(ARGS)

lock: $(STAMP) ## requirements.lock again from pyproject.toml; ARGS=--upgrade for the newest versions
	$(IN_VENV) uv pip compile --quiet --universal --python-version 3.11 $(LOCKED:%=--extra %) --no-annotate \
	    --custom-compile-command 'make lock' --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## remove .venv and the tools' caches; results/ stays
	rm -rf $(VENV) .cache docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests workflow -name __pycache__ -prune -exec rm -rf {} +

# the Python beneath .venv may have gone: start again
$(shell test -x $(VENV)/bin/python || rm -f $(STAMP))

$(STAMP): pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing the packages of requirements.lock into $(VENV): 1.5 GB, a minute or two"
	@if command -v uv >/dev/null; then \
	    uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --no-deps -r requirements.lock -e .; \
	else \
	    $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 \
	        --no-deps -r requirements.lock -e .; \
	fi
	@touch $@

$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	    "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break; \
	    python=; \
	done; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null; then \
	    uv venv --quiet --python "$${python:->=3.11,<3.14}" $(VENV); \
	elif test -z "$$python"; then \
	    echo "lenscast needs Python 3.11, 3.12 or 3.13 and found none as $(PYTHON) on the PATH" \
	        "(python3: $$(python3 --version 2>&1)). Install one, or name it: make ... PYTHON=/path/to/python" >&2; \
	    exit 1; \
	elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$python comes without venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; \
	else \
	    "$$python" -m venv $(VENV); \
	fi
