# Each target makes .venv by itself, once, from the hash-pinned files; nothing else is needed but Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
# Test processes; more than two cores, since most tests wait for a socket or a clock for a part of their time.
WORKERS ?= 7

.PHONY: demo test check format coverage bench twins chaos lock clean

demo: .venv/runtime
	$(BIN)/python -m bot demo $(ARGS)

test: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

coverage: .venv/dev
	$(BIN)/python -m pytest -q -n $(WORKERS) --cov --cov-report=term-missing:skip-covered $(ARGS)

# Each beside its peers in one run: a table here, figures and pictures in docs.
BENCHES := staleness decoding terminal ack fan_in flood dispatching end_to_end
bench: .venv/bench
	@for name in $(BENCHES); do \
		$(BIN)/python -m tests.bench.$$name --json docs/bench-$$name.json --png docs/bench-$$name.png || exit 1; \
	done

# The scenarios that make test runs on SQLite only, on PostgreSQL.
twins: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'twin and not slow' $(ARGS)

# First the tests that wait too long for every day, and the twins. ARGS='--rounds 100 --seed 7 --database postgres --workers 3', for example.
chaos: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-profile=default tests/core tests/cloudcoding
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'slow or twin'
	$(BIN)/python -m tests.chaos $(ARGS)

# Needs uv. The files name packages and hashes only.
lock:
	uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-emit-index-url $(LOCK) pyproject.toml -o requirements.txt
	uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-emit-index-url $(LOCK) --extra dev pyproject.toml -o requirements-dev.txt
	uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-emit-index-url $(LOCK) --extra dev --extra bench pyproject.toml -o requirements-bench.txt

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ .venv/runtime

.venv/bench: requirements-bench.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@ .venv/dev .venv/runtime

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov dist
