# `make run` and `make test` need Python 3.11+ and PyPI, nothing else: they build their own venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run demo test lint acceptance test-clients bench prices lock clean

run: $(VENV)/.run
	$(BIN)/underspend up

demo: $(VENV)/.run
	$(BIN)/underspend demo --open

test: lint
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term --cov-fail-under=97

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

acceptance: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "say where the recorded data is: make acceptance DATA=path"; exit 2; }
	$(BIN)/python scripts/acceptance.py $(DATA)
	$(BIN)/python scripts/check_transcripts.py $(DATA)
	$(BIN)/python scripts/check_prediction.py $(DATA)
	$(BIN)/python scripts/check_replay.py $(DATA)
	$(BIN)/python scripts/check_translation.py $(DATA)
	$(BIN)/python scripts/check_translation_more.py $(DATA)
	$(BIN)/python scripts/check_routing.py $(DATA)
	$(BIN)/python scripts/check_policy.py $(DATA)

test-clients: $(VENV)/.dev
	$(BIN)/python -m pytest -q clients

bench: $(VENV)/.dev
	$(BIN)/python bench/gateway.py

prices: $(VENV)/.dev
	$(BIN)/python scripts/build_prices.py

lock: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --group build -o requirements/run.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --group dev -o requirements/dev.txt

$(VENV)/.run: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
