# make demo   everything from an empty folder to runs/demo/report.html
# make test   the test suite
# make quick  the mathematics alone
# make test-all  also what takes more than ten seconds each

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL := $(BIN)/python -m pixel2mesh_jax.main --config configs/rgbd.py:tiny --workdir runs/demo

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
	$(BIN)/python -m data_pipelines.build procedural_shapes --data_dir data
	$(MODEL)
	$(MODEL) --mode eval
	$(BIN)/python -m data_pipelines.export procedural_shapes --data_dir data --split test --count 3 --output runs/demo/views
	$(MODEL) --mode reconstruct --input runs/demo/views --output runs/demo/meshes --stages
	@echo 'Open runs/demo/report.html and runs/demo/meshes/.'

test: install
	$(PYTEST) -m 'not slow'

quick: install
	$(PYTEST) -m 'not slow' tests/geometry tests/losses tests/evaluation

test-all: install
	$(PYTEST)

clean:
	rm -rf $(VENV) data runs
