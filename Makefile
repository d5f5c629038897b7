# make reproduce     the environment, then Table 1 and Figures 1–7 in results/mini
# make study         a thousand replicates of it, and a verdict for every claim
# make diagnose      why: instruments, interventions and a verdict for every statement
# make compare       networks for digits, pruned in every way
# make test          the environment, then all tests but the long ones, faults and those in a browser
# make fault-test    kills, full disks, damaged files, signals, hostile input, other surroundings
# make check         what a change must pass: lint, types, test, fault-test, wheel-test, browser-test
# make lint          ruff
# make types         mypy
# make wheel-test    the wheel, in an empty environment
# make browser-test  the reports in Chromium, which it installs where it may
# make check-long    check, and the long versions of tests
# make smoke         the code of reproduce with few epochs
# make benchmark     how long everything takes
# make gpu-check     what needs a GPU: study, comparison, pruning, in results/gpu
# make zoo           every family of torchvision, timm and transformers pruned, in results/zoo
# make clean         leaves results and data
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PLAYWRIGHT := .venv/.playwright
ZOO := .venv/.zoo
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CHROMIUM := { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

.PHONY: reproduce study diagnose compare test fault-test smoke lint types wheel-test browser-test check check-long benchmark gpu-check zoo clean

reproduce: $(READY)
	$(BIN)/mini-exp run configs/mini.yaml

study: $(READY)
	$(BIN)/mini-exp study configs/mini.yaml --replicates 1000

# Those that take longer too, in the order of `mini_exp/diagnostics/instruments/__init__.py`.
INSTRUMENTS := confidence, alignment, homogeneity, information, similarity, curvature, capacity, theory, descent, \
	margin, homology, optimality, random labels, shapes, invariance, generators, soft rank, search, shared weights

diagnose: $(READY)
	$(BIN)/mini-exp run configs/mini.yaml
	$(BIN)/mini-exp diagnose configs/mini.yaml --replicates 200 --set 'diagnose.instruments=[$(INSTRUMENTS)]'

compare: $(READY)
	$(BIN)/mini-exp compare configs/digits.yaml

# Two processes, a thread each: with more threads than cores PyTorch's wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(PYTEST) --ignore tests/reliability

fault-test: $(READY)
	$(PYTEST) tests/reliability

smoke: $(READY)
	$(BIN)/mini-exp run configs/smoke.yaml --force

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

wheel-test: $(READY)
	bash scripts/wheel_test.sh $(BIN)/python

browser-test: $(PLAYWRIGHT)
	@$(CHROMIUM) || [ "$$(id -u)" != 0 ] || \
		{ apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium; } || true
	@$(CHROMIUM) || { echo "browser-test needs Chromium on the PATH (Debian: apt-get install chromium)"; exit 1; }
	$(BIN)/python -m pytest -m browser tests/browser

check: lint types test fault-test wheel-test
	@if $(CHROMIUM); then $(MAKE) browser-test; else \
		echo "The tests in a browser were not run, for there is no Chromium: make browser-test"; fi

check-long: check
	$(BIN)/python -m pytest -m long

benchmark: $(READY)
	$(BIN)/python -m scripts.benchmark

gpu-check: $(READY)
	$(BIN)/python -m scripts.gpu_check

zoo: $(ZOO)
	$(BIN)/python -m scripts.zoo

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find mini_exp tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mini-exp needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $(READY)

# Without dependencies, all of which are listed: torch stays as it is.
$(ZOO): scripts/zoo.lock $(READY)
	$(PIP) --no-deps -r scripts/zoo.lock
	touch $(ZOO)

$(PLAYWRIGHT): tests/browser/requirements.lock $(READY)
	$(PIP) -r tests/browser/requirements.lock
	touch $(PLAYWRIGHT)
