# Two commands that need nothing but Python >= 3.11 (with venv), gcc, g++ and make:
#   make demo   sets everything up, compiles a trained Mamba and runs it in the real TFLM interpreter
#   make test   sets everything up, system packages included, and runs all tests
# What CI has no time for: make soak tries what is random for much longer.
# Everything from PyPI goes into .venv; `make clean` removes what was built.

PYTHON ?= python3
TORCH ?= torch==2.13.0
# An index of PyTorch's own CPU wheels, which are a tenth of the size of PyPI's for Linux.
TORCH_INDEX ?=
# The package that ships the example's recordings. Only its data files are read, so it lies in a
# folder of its own, without its many dependencies; a requirement in pyproject.toml brings them in.
EXAMPLE_DATA ?= aeon==1.6.0
PYTEST_ARGS ?= -n auto --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test soak bench fuzz dialect-table docs system-packages setup lint format typecheck clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo-installed
	@$(BIN)/python -m examples.basic_motions.run

# One thread each: as many test processes as there are cores run side by side.
test: system-packages $(VENV)/.test-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

# Random trials, a line each: other ones in each run, and what they found at the end.
SOAK_SHAPES ?= 300
soak: system-packages $(VENV)/.test-installed
	SCANLET_SOAK_SHAPES=$(SOAK_SHAPES) OMP_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -q -s tests/shapes/test_shapes_agreement.py
	@OMP_NUM_THREADS=1 $(BIN)/python -m examples.benchmark.serial_link

# Instruction counts on emulated cores: the figures of README.md.
bench: system-packages $(VENV)/.test-installed
	@$(BIN)/python -m examples.benchmark.run -o build/bench.json

# Everything that is fuzzed, with 100,000 inputs each: FUZZ_ARGS="--runs N TARGET ..." for others.
fuzz: system-packages $(VENV)/.test-installed
	@OMP_NUM_THREADS=1 $(BIN)/python tests/fuzzing/run_fuzzing.py $(FUZZ_ARGS)

# What is recognised, tried out: the table of docs/dialects.md.
dialect-table: $(VENV)/.test-installed
	@OMP_NUM_THREADS=1 $(BIN)/python tests/dialects/dialect_table.py

# The documentation as a site in build/docs; a broken link ends the build.
docs: $(VENV)/.test-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

setup: $(VENV)/.test-installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; } # without python3-venv: half made

# torch comes first, so that its wheel is the one asked for and not the one pip would prefer.
$(VENV)/.torch-installed: | $(BIN)/python
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	@touch $@

$(VENV)/.demo-installed: pyproject.toml $(VENV)/.torch-installed
	$(PIP) install --quiet -e '.[examples]'
	$(PIP) install --quiet --no-deps --upgrade --target $(VENV)/example-data '$(EXAMPLE_DATA)'
	@touch $@

$(VENV)/.test-installed: pyproject.toml $(VENV)/.demo-installed
	$(PIP) install --quiet -e '.[test,examples]'
	@touch $@

# Cross compilers and emulators (Debian's packages): the tests run the operator on emulated cores.
system-packages:
	@command -v dpkg-query > /dev/null || { \
	  echo "This is not a Debian system: install the equivalents of system-packages.txt by hand" \
	    "and run the tests with: make setup && $(BIN)/python -m pytest" >&2; exit 1; }; \
	missing=""; \
	for package in $$(sed 's/#.*//' system-packages.txt); do \
	  dpkg-query -W -f='$${Status}' "$$package" 2> /dev/null | grep -q '^install ok installed$$' \
	    || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then as_root="env"; \
	elif command -v sudo > /dev/null && sudo -v; then as_root="sudo"; \
	else \
	  echo "The tests need packages that only root can install. Run as root:" >&2; \
	  echo "  apt-get update && $$install" >&2; \
	  exit 1; \
	fi; \
	$$as_root apt-get update && $$as_root DEBIAN_FRONTEND=noninteractive $$install

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q tests/quality/test_quality_c_sources.py

format: $(VENV)/.test-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find tflm_ops esp32_app tests -name '*.c' -o -name '*.cc' -o -name '*.h' | xargs -r $(BIN)/clang-format -i

typecheck: $(VENV)/.test-installed
	$(BIN)/python -m pytest -q tests/quality/test_quality_types.py

clean:
	rm -rf build dist scanlet.egg-info $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache
