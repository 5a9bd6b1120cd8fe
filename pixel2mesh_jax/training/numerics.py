"""How exact the arithmetic of a run is: two settings of its config.

`config.deterministic`: the same program with the same input gives the same bits. A CPU
does so always; a GPU adds with atomic operations, in any order, and chooses kernels by
timing them, unless it is told not to, which costs time. Without it, a training on a
GPU that was interrupted is as good as one that was not, but not equal to the bit.

`config.matmul_precision`: of the inputs of matrix products and convolutions in float32.
The default of JAX is float32 on a CPU, TensorFloat-32 (10 bits of mantissa) on NVIDIA
GPUs since Ampere, bfloat16 on TPUs. Gathers, sums and losses are float32 anyway.

Both belong to the compiled programs of a run, so that nothing has to be set before JAX
starts and several runs of one process may differ. Source of the option: XLA,
`xla/xla.proto`, `xla_gpu_deterministic_ops`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import ml_collections

from pixel2mesh_jax.methods.method import check

# `high` is three products in bfloat16 on a TPU and TensorFloat-32 on a GPU; `highest`
# is float32 everywhere.
PRECISIONS = ("default", "high", "highest")
# What runs did before they had these settings.
DEFAULTS = {"deterministic": False, "matmul_precision": "default"}


def jit(function: Callable, config: ml_collections.ConfigDict, **options: Any):
    """`jax.jit` with the arithmetic of a config.

    Args:
      function: to be compiled.
      config: of the run; one without the settings gets `DEFAULTS`.
      **options: of `jax.jit`.

    Raises:
      InputError: unknown precision; lists those there are.
    """
    settings = {name: config.get(name, value) for name, value in DEFAULTS.items()}
    precision = settings["matmul_precision"]
    check("matmul_precision", precision, PRECISIONS)
    if precision != "default":
        function = _in_precision(function, precision)
    if settings["deterministic"]:
        options["compiler_options"] = {"xla_gpu_deterministic_ops": True}
    return jax.jit(function, **options)


def _in_precision(function, precision):
    """Precision is a property of every product when it is traced, forward and back."""

    @functools.wraps(function)
    def traced(*arguments):
        with jax.default_matmul_precision(precision):
            return function(*arguments)

    return traced
