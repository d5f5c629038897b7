# make reproduce   the environment, then Table 1 and Figures 1–7 in results/mini
# make study       a thousand replicates of it, and a verdict for every claim
# make compare     networks for digits, pruned in every way
# make test        the environment, then all tests
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: reproduce study compare test smoke lint types check check-long benchmark clean

reproduce: $(READY)
	$(BIN)/mini-exp run configs/mini.yaml

study: $(READY)
	$(BIN)/mini-exp study configs/mini.yaml --replicates 1000

compare: $(READY)
	$(BIN)/mini-exp compare configs/digits.yaml

test: $(READY)
	$(BIN)/python -m pytest

smoke: $(READY)
	$(BIN)/mini-exp run configs/smoke.yaml --force

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

check-long: check
	$(BIN)/python -m pytest -m long

benchmark: $(READY)
	$(BIN)/python scripts/benchmark.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find mini_exp tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mini-exp needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)
