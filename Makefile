# Every target does its own set-up. PYTHON=/path/to/python3 chooses the interpreter (3.11 or later).
.DEFAULT_GOAL := help
.PHONY: help demo test check chaos soak lock bench fuzz audit clean runtime development

BIN := .venv/bin
COMPILE := uv pip compile pyproject.toml
LOCKED := --universal --generate-hashes --no-header --no-annotate --no-emit-index-url -o

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: runtime ## the gateway with a simulated Apple and Google: events in, and what each phone shows
	@$(BIN)/push-gateway demo

test: development ## all tests
	@$(BIN)/python -m pytest

check: development ## what CI runs: format, lint, types, layers, and all tests with coverage
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@.ci/tests

bench: development ## how many events and pushes a second
	@set -e; for file in tests/bench/bench_*.py; do \
		module=$$(basename $$file .py); echo "== $$module"; $(BIN)/python -m tests.bench.$$module; \
	done

fuzz: development ## random requests against the API and random bytes against each dialect, SECONDS=60 each
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3.0,<4" || true
	@$(BIN)/python -m tests.fuzz $(or $(SECONDS),60)

audit: ## known vulnerabilities of what requirements.lock installs (needs pip-audit, and the network)
	@command -v pip-audit >/dev/null || { echo "pip-audit is needed: pipx install pip-audit" >&2; exit 1; }
	@pip-audit --require-hashes --disable-pip --requirement requirements.lock

lock: ## resolve the dependencies anew into both locks (needs uv)
	@command -v uv >/dev/null || { echo "uv is needed: https://docs.astral.sh/uv/" >&2; exit 1; }
	$(COMPILE) $(LOCKED) requirements.lock
	$(COMPILE) --group dev $(LOCKED) requirements-dev.lock

clean: ## remove the virtual environment and every cache; var/ (the stores) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

runtime:
	@PYTHON="$(PYTHON)" .ci/environment requirements.lock

development:
	@PYTHON="$(PYTHON)" .ci/environment requirements-dev.lock

chaos: development ## kill every process KILLS=100 times under load, count what is lost or doubled; SEED= STORE=embedded|redis FSYNC=
	@$(BIN)/python -m tests.chaos --kills $(or $(KILLS),100) --seed $(or $(SEED),1) --store $(or $(STORE),embedded) \
		--fsync $(or $(FSYNC),always) --rate $(or $(RATE),40)

soak: development ## a fixed RATE=40 with faults for MINUTES=30: memory, descriptors, tasks and queue are to stay flat; SEED= STORE=
	@$(BIN)/python -m tests.chaos.soak --minutes $(or $(MINUTES),30) --rate $(or $(RATE),40) --seed $(or $(SEED),1) \
		--store $(or $(STORE),embedded) --fsync $(or $(FSYNC),always)
