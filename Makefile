# Two commands do everything on a fresh machine: make demo, make test.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lab bench lock clean

BIN := .venv/bin

help:  ## list the commands
	@grep -hE '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "make %-7s %s\n", $$1, $$2 }'

setup:  ## make the environment in .venv; does nothing when it is up to date
	@.ci/setup

demo: setup  ## export EfficientNet-Lite0 to one file and label the photos in data_samples/
	@$(BIN)/e2e-jax demo

test: setup check  ## set up, then check

check:  ## format, lint, types and tests, as continuous integration runs them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lab: setup  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

bench: setup  ## measure speed, memory and compilations; prints ratios
	$(BIN)/python -m benchmarks

lock:  ## resolve requirements.lock anew: make lock PYTHONS="/path/to/3.12 /path/to/3.13"
	.ci/lock $(PYTHONS)

clean:  ## remove the environment and everything made
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
