"""Strictness and data for the tests: what users never pay for."""

import getpass
import os
import pathlib
import tempfile

import jax
import pytest
from absl import flags

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS", "cpu"))
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")

REPOSITORY = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path(os.environ.get("P2M_DATA", REPOSITORY.parent / "shared" / "data"))


# Programs that several tests compile are compiled once, also those of subprocesses.
CACHE = pathlib.Path(tempfile.gettempdir()) / f"pixel2mesh_jax_{getpass.getuser()}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])


def pytest_configure(config):
    del config
    flags.FLAGS.mark_as_parsed()  # TFDS reads absl flags


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_programs():
    """Keeps the memory of a test process bounded; large programs stay on disk."""
    yield
    jax.clear_caches()


@pytest.fixture
def repository() -> pathlib.Path:
    return REPOSITORY


@pytest.fixture
def data_dir() -> pathlib.Path:
    """The development data; never part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"development data not found at {DATA}; set P2M_DATA")
    return DATA


@pytest.fixture
def getkey():
    """Returns a function that gives a fresh random key at every call."""
    keys = iter(jax.random.split(jax.random.key(0), 1000))
    return lambda: next(keys)


@pytest.fixture
def quick_compilation():
    """For programs that run a few times only: compiling takes less, running more."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64():
    """Float64 for gradient checks."""
    with jax.enable_x64(True):
        yield
