# Two commands do everything on a fresh machine: make demo, make test.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lab gallery bench lock clean
.NOTPARALLEL:  # "test" is set-up, then checks, under make -j too

BIN := .venv/bin

help:  ## list the commands
	@while IFS=: read -r name rest; do case $$name:$$rest in \
	    [a-z]*:*'## '*) printf 'make %-7s %s\n' "$$name" "$${rest#*## }" ;; \
	esac; done <Makefile

setup:  ## make the environment in .venv; does nothing when it is up to date
	@.ci/setup

demo: setup  ## export EfficientNet-Lite0 to one file and label the photos in data_samples/; ONNX=1 in ONNX Runtime too
	@$(BIN)/e2e-jax demo $(if $(ONNX),--onnx)

test: setup check  ## set up, then check

check:  ## format, lint, types and tests, as continuous integration runs them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal

lab: setup  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

gallery: setup  ## draw every transform on one photo, in build/gallery.png
	@$(BIN)/python -m notebooks.gallery

bench: setup  ## measure speed, memory and compilations; prints ratios
	$(BIN)/python -m benchmarks

lock:  ## resolve requirements.lock anew; needs Python 3.12 and 3.13
	@.ci/lock

clean:  ## remove the environment and everything made
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	bash -O globstar -O nullglob -c 'rm -rf ./**/__pycache__'
