# make demo   three meshes from the weights that ship; data, two trainings, their reports
# make test   the test suite
# make quick  the mathematics alone
# make test-all  also what takes more than ten seconds each

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MAIN := $(BIN)/python -m pixel2mesh_jax.main

SHORT := --config.num_steps=220 --config.eval_every=110

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: demo install test quick test-all clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

demo: install
	$(MAIN) --mode reconstruct --input examples --output runs/demo/meshes --format glb
	$(BIN)/python -m data_pipelines.build procedural_shapes --data_dir data --volume 32 --train 12 --val 1 --test 1
	$(MAIN) --config configs/rgbd_sdf.py:tiny --workdir runs/demo/sdf $(SHORT)
	$(MAIN) --config configs/rgbd_plus.py:tiny --workdir runs/demo/pixel2mesh $(SHORT)
	$(MAIN) --workdir runs/demo/sdf --mode eval
	$(MAIN) --workdir runs/demo/pixel2mesh --mode eval
	$(BIN)/python -m pixel2mesh_jax.compare runs/demo/sdf runs/demo/pixel2mesh --output runs/demo
	@echo 'Open runs/demo/meshes/, runs/demo/comparison.html and runs/demo/*/report.html.'

test: install
	$(PYTEST) -m 'not slow'

quick: install
	$(PYTEST) -m 'not slow' tests/geometry tests/losses tests/evaluation

test-all: install
	$(PYTEST)

clean:
	rm -rf $(VENV) data runs
