# Every target can be run on its own; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(PATH):/usr/sbin:/sbin

BIN := .venv/bin
IMAGE ?= edgerouter:latest
ARGS ?=
# CI checks style and types as well and therefore needs the development tools.
EXTRA := $(if $(filter true,$(CI)),dev,test)
SOURCES := edgerouter providers tests bench scripts
UNIT := tests/unit tests/architecture
# Two at a time: most tests wait for processes. What shares an engine or a module runs in turn; those
# on the engine take longest and begin, as they come first.
TWO := --numprocesses=2 --dist=loadgroup --no-loadscope-reorder

.PHONY: help run test unit integration lint types contracts compile bench image docs venv clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start edgerouter with a demo backend on http://localhost:8000
	@scripts/venv.sh
	@$(BIN)/python -m edgerouter demo $(ARGS)

test: ## Install what is missing, then all checks and all tests
	@scripts/test-deps.sh
	@scripts/venv.sh $(EXTRA)
	@if [ -x $(BIN)/ruff ]; then $(MAKE) --no-print-directory lint types contracts; \
	else echo "lint, types and contracts are left out: make venv installs their tools"; fi
	$(BIN)/pytest $(TWO) $(ARGS)

unit: ## Unit and architecture tests: fast, no root, no Docker
	@scripts/venv.sh test
	$(BIN)/pytest $(UNIT) $(ARGS)

integration: ## All other tests: real processes, real Docker, the real Traefik
	@scripts/test-deps.sh
	@scripts/venv.sh test
	$(BIN)/pytest $(addprefix --ignore=,$(UNIT)) $(TWO) $(ARGS)

lint: ## Style: ruff's linter and formatter
	@scripts/venv.sh dev
	$(BIN)/ruff check $(wildcard $(SOURCES))
	$(BIN)/ruff format --check $(wildcard $(SOURCES))

types: ## Types: mypy in strict mode
	@scripts/venv.sh dev
	$(BIN)/mypy

contracts: ## Directions of imports: import-linter
	@scripts/venv.sh test
	$(BIN)/lint-imports

compile: ## Make build/compiled, the packages with a compiled hot path: PYTHONPATH=build/compiled
	@scripts/test-deps.sh
	@scripts/venv.sh dev
	$(BIN)/python scripts/compile.py build/compiled

bench: ## Measure the compiled build against nginx and Traefik; rewrites docs/benchmarks.md
	@scripts/test-deps.sh
	@scripts/venv.sh dev
	$(BIN)/python -m bench $(ARGS)

image: ## Build the Docker image (IMAGE=edgerouter:latest)
	@scripts/image.sh $(IMAGE)

docs: ## Check that the documentation is complete and its links lead somewhere
	@scripts/venv.sh test
	$(BIN)/pytest tests/architecture -k docs $(ARGS)

venv: ## Make .venv with all development tools
	@scripts/venv.sh dev

clean: ## Remove what was built, installed and cached here
	rm -rf .venv .tools .cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
