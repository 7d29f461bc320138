# Each target sets up its environment itself; it needs only make and Python 3.11 or newer.
# Prefer the distribution's Python: it is built with PGO, with which the grid is a quarter faster than
# with a build without it, such as pyenv's (docs/performance.md).
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PYTHONS := 3.11 3.12 3.13
SET_UP = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12"; exit 1; } && $(PYTHON) local_stack/environment.py $(VENV)
LACKING := $(shell test -x $(BIN)/python || echo anew)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# An environment that keeps no bytecode has each of many processes compile all of it again.
export PYTHONDONTWRITEBYTECODE :=

# `make lock` writes with it, `make lock-check` compares.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml

.PHONY: help run test test-slow test-commands test-e2e test-swarm test-pods test-bench bench bench-cost bench-ledger hostile faults faults-local faults-compose kills kills-long reliability field power-scenes mutants soak check hooks format lock lock-check audit pictures clean anew

help: ## Show this help
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(VENV)/runtime ## Run the whole grid on this machine, without Docker
	@exec $(BIN)/python -m local_stack $(ARGS)

test: $(VENV)/dev ## Run the unit, integration and browser tests; none needs Docker (4 minutes)
	@$(BIN)/python -m pytest -n 8 --dist worksteal tests/e2e/local tests/integration tests/unit $(ARGS)

test-slow: $(VENV)/dev ## Run the slow tests: whole simulations, all examples of properties, the set-up of make, the mutation tool (3 minutes)
	@HYPOTHESIS_PROFILE=full $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 600 tests/slow \
		$$(grep -rl --include='test_*.py' tests.support.examples tests) $(ARGS)

test-commands: $(VENV)/dev ## Run the commands that README and docs/ print for a grid without Docker, in order (3 minutes)
	@$(BIN)/python -m pytest tests/e2e/commands $(ARGS)

test-e2e: $(VENV)/dev ## Start the Compose stack and test it
	@$(BIN)/python -m pytest tests/e2e/compose $(ARGS)

test-swarm: $(VENV)/dev ## Scale, replace and kill the grid on a real Docker Swarm of one node, under load (5 to 10 minutes)
	@$(BIN)/python -m pytest tests/e2e/swarm $(ARGS)

test-pods: $(VENV)/dev ## Run the pods of deploy/kubernetes with podman (1 minute)
	@$(BIN)/python -m pytest tests/e2e/kubernetes $(ARGS)

test-bench: $(VENV)/dev ## Test the benchmark with a short run
	@$(BIN)/python -m pytest tests/e2e/bench $(ARGS)

bench: $(VENV)/dev ## Compare this balancer with HAProxy, nginx and Envoy (12 to 18 minutes)
	@$(BIN)/python -m benchmarks.comparison $(ARGS)

bench-cost: $(VENV)/dev ## Measure the cost of a charge, and of thousands of vehicles held at once (15 minutes)
	@$(BIN)/python -m benchmarks.overhead $(ARGS)

bench-ledger: $(VENV)/dev ## Measure the ledger, make it fail under load, and hold 9,000 vehicles at once (40 minutes; ARGS=--help)
	@$(BIN)/python -m benchmarks.ledger $(ARGS)

hostile: $(VENV)/dev ## Attack each service, and the balancer from its substations (ARGS="--write-table -n 0": docs/hostile-input.md)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e/hostile $(ARGS)

faults: faults-local faults-compose ## Inject every fault, with processes and on Compose (4 minutes)

faults-local: $(VENV)/dev ## Inject every fault that needs no Docker
	@$(BIN)/python -m pytest -n 5 --dist worksteal tests/e2e/faults/local $(ARGS)

faults-compose: $(VENV)/dev ## Inject every fault that needs containers
	@$(BIN)/python -m pytest tests/e2e/faults/compose $(ARGS)

kills: $(VENV)/dev ## Kill parts of the grid under load, 30 times with each ledger; fail if anything is lost or charged twice (3 minutes)
	@exec $(BIN)/python -m benchmarks.kills $(ARGS)

kills-long: $(VENV)/dev ## Kill a thousand parts with each ledger, and write benchmarks/results/kills.md (2 hours; resumes after an interruption)
	@exec $(BIN)/python -m benchmarks.kills --kills 1000 --out benchmarks/results $(ARGS)

reliability: $(VENV)/dev ## Inject every fault and write docs/reliability.md
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(MAKE) --no-print-directory faults FAULTS_RECORD="$$folder" && $(BIN)/python -m tests.e2e.faults.report "$$folder"

field: $(VENV)/dev ## Compare the substation model with real sessions (ARGS=--acnportal: run acnportal again, 15 minutes)
	@$(BIN)/python -m benchmarks.field $(ARGS)

power-scenes: $(VENV)/dev ## Run 10,000 newly generated scenes of a substation that shares its power (5 minutes)
	@HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest --timeout 1800 tests/unit/substation_service/test_scenes.py $(ARGS)

mutants: $(VENV)/dev ## Mutation-test the core: fail if the unit tests miss over 5% of the mutants (at most 90 minutes, then resume; ARGS=--help)
	@$(BIN)/python -m tests.mutants $(ARGS)

soak: $(VENV)/dev ## Charge for 20 minutes while parts die, freeze and lose their connections
	@exec $(BIN)/python -m benchmarks.soak $(ARGS)

check: $(VENV)/dev ## Check lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/zizmor --quiet --offline --strict-collection .github

hooks: $(VENV)/dev ## Run the checks of `make check` before each git commit
	@$(BIN)/pre-commit install

format: $(VENV)/dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: $(VENV)/dev ## Lock the dependencies of pyproject.toml, with hashes
	@$(COMPILE) -o requirements.txt
	@$(COMPILE) --group dev -o requirements-dev.txt

lock-check: $(VENV)/dev ## Check that the lock files match pyproject.toml and install on every supported Python
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp requirements.txt requirements-dev.txt "$$folder" && \
	$(COMPILE) -o "$$folder/requirements.txt" && $(COMPILE) --group dev -o "$$folder/requirements-dev.txt" && \
	for lock in requirements.txt requirements-dev.txt; do \
		diff "$$lock" "$$folder/$$lock" || { echo "$$lock does not match pyproject.toml: run make lock"; exit 1; }; \
		for version in $(PYTHONS); do \
			$(BIN)/uv pip install --quiet --target "$$folder/$$lock-$$version" --python-version $$version --require-hashes --no-build -r "$$lock" || \
			{ echo "$$lock does not install on Python $$version from wheels alone"; exit 1; }; \
		done; \
	done

audit: $(VENV)/dev ## Look for known vulnerabilities in the locked dependencies (asks the Python package index)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements-dev.txt -r requirements.txt $(ARGS)

pictures: $(VENV)/dev ## Take the screenshots of the control room
	@$(BIN)/python docs/take_pictures.py

clean: ## Remove everything that the other targets created
	rm -rf $(VENV) $(VENV).lock tests/unit/grafana/node/node_modules .acnportal .local_stack .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants

# Set it up again if its Python is gone, too.
$(VENV)/runtime: requirements.txt $(LACKING)
	@$(SET_UP) requirements.txt runtime

$(VENV)/dev: requirements-dev.txt $(LACKING)
	@$(SET_UP) requirements-dev.txt dev runtime
