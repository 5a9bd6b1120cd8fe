"""Eight devices train as one: the same numbers in every step, the same parameters."""

import json

import numpy as np
import pytest

from tests.methods import device_losses
from tests.training import programs

# Of the cascades of a template, rgbd is in tests/training/processes_test.py.
NAMES = ("mesh_rcnn",)
PROGRAM = "tests.methods.device_losses"
# The gradient of a batch is a sum in another order; Adam divides by its size.
ROUNDING = {"rtol": 2e-4, "atol": 1e-6}


def trained(name, num_devices):
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # to compile
    environment = programs.environment(num_devices, **quick)
    (done,) = programs.start_together([environment], PROGRAM, name)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == num_devices
    return found[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_eight_devices_equal_one(name):
    alone, together = trained(name, 1), trained(name, device_losses.BATCH)
    assert len(together["steps"]) == device_losses.NUM_STEPS
    for found, expected in zip(together["steps"], alone["steps"], strict=True):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, err_msg=key, **ROUNDING)
    assert together["parameters"].keys() == alone["parameters"].keys()
    for key, value in alone["parameters"].items():
        length = together["parameters"][key]
        np.testing.assert_allclose(length, value, err_msg=key, **ROUNDING)
