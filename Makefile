# make build | test | test-full | test-layers | test-tiers | fuzz | lint | check | bench | wheel | clean.
# Everything happens in .venv; PYTHON chooses it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: build test test-full test-layers test-tiers fuzz lint check bench wheel clean

$(VENV)/made: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --group test
	touch $@

build: $(VENV)/made
	$(RUN) -m pip install --quiet --editable ".[all]"

test: build
	$(RUN) -m pytest tests

# What takes minutes and gigabytes: the classic networks at full size beside Keras.
test-full: build
	$(RUN) -m pytest tests/full_size_networks.py

# Other random layers than those of `make test`, and COUNT times as many, beside Keras on JAX.
test-layers: build
	CNNCORE_LAYER_SEED=$(or $(SEED),1) CNNCORE_LAYER_COUNT=$(or $(COUNT),10) $(RUN) -m pytest tests/test_random_layers.py

# Every tier that this machine runs, the whole suite on each.
test-tiers: build
	for tier in $$($(RUN) -c "from cnncore import _core; print(*_core.tiers_here())"); do \
		echo "== $$tier" && CNNCORE_ISA=$$tier $(RUN) -m pytest tests || exit 1; done

# Damaged files of every format: each is refused or loads.
fuzz: build
	$(RUN) tests/fuzz_files.py --seed $(or $(SEED),0) --count $(or $(COUNT),10000)

lint: $(VENV)/made
	$(RUN) -m ruff check .
	$(VENV)/bin/clang-format --dry-run --Werror csrc/*.c csrc/*.h csrc/contracts/*.h csrc/kernels/*.c csrc/tiers/*.c
	$(RUN) tools/file_lengths.py

check: lint test-tiers

# PEERS is an interpreter that has PyTorch, TensorFlow or JAX, where .venv does not.
PEERS ?=
bench: build
	$(RUN) benchmarks/kernels.py $(if $(PEERS),--python $(PEERS))
	$(RUN) benchmarks/train.py $(if $(PEERS),--python $(PEERS))
	$(RUN) benchmarks/scaling.py
	$(RUN) benchmarks/plots.py

wheel: $(VENV)/made
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf build dist .venv *.egg-info cnncore/*.so
