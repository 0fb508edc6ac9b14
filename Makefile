# Everything runs in .venv, which is made on first use. PYTHON=python3.12 picks another Python (3.10 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
# a file of tests to each core, one thread to each
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test check format wheel smoke benchmark clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"kdistill needs Python 3.10 to 3.13, {sys.executable} is {v[0]}.{v[1]}; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@

setup: .venv/installed  ## install kdistill and what its developers need into .venv

demo: setup  ## train an ensemble, distil it, compare: 2 minutes on two CPU cores, no downloads
	$(BIN)/kdistill train +experiment=mnist_ensemble dataset.source=bundled

test: setup  ## run the tests
	$(TESTS)

check: setup  ## style, types, direction of imports, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTS)

format: setup  ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup  ## build dist/kdistill-*.whl
	$(BIN)/python -m build --wheel --no-isolation

smoke: setup  ## run every experiment with a tiny budget (make test does it too)
	$(TESTS) tests/test_experiments.py

benchmark: setup  ## training speed beside other frameworks, side by side: an hour and more
	$(BIN)/python -m pip install -q -e '.[bench]'
	$(BIN)/python scripts/loss_cost.py
	$(BIN)/python scripts/nade_cost.py
	$(BIN)/python scripts/benchmark.py

clean:  ## remove what was built; runs/ and data/ stay
	rm -rf .venv dist build .pytest_cache .ruff_cache .mypy_cache
