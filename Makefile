# Each target makes its own set-up: Python 3.11 or newer and make are all it takes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test test-e2e test-bench bench check format lock pictures clean

help: ## Show what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/runtime ## Run the whole grid on this machine, without Docker
	@exec $(BIN)/python -m local_stack $(ARGS)

test: $(VENV)/dev ## Run every test that needs no Docker
	@$(BIN)/python -m pytest -n 4 --dist loadfile tests/e2e/local tests/integration tests/unit $(ARGS)

test-e2e: $(VENV)/dev ## Bring the Compose stack up for real and test it
	@$(BIN)/python -m pytest tests/e2e/compose $(ARGS)

test-bench: $(VENV)/dev ## Test the benchmark with a short run of it
	@$(BIN)/python -m pytest tests/e2e/bench $(ARGS)

bench: $(VENV)/dev ## Run this balancer side by side with HAProxy, nginx and Envoy (15 minutes)
	@$(BIN)/python -m benchmarks.side_by_side $(ARGS)

check: $(VENV)/dev ## Lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

format: $(VENV)/dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: $(VENV)/dev ## Lock the dependencies of pyproject.toml again, with hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml --group dev -o requirements-dev.txt

pictures: $(VENV)/dev ## Take the pictures of the control room again
	@$(BIN)/python docs/take_pictures.py

clean: ## Remove what the other targets made
	rm -rf $(VENV) .local_stack .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/runtime
