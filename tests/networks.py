"""ONNX files of random small networks, as published ones look from outside."""

import pathlib

import numpy as np
import pytest

WEIGHTS = (0.5, -0.3, 0.8)


def write_network(
    path: pathlib.Path,
    size: tuple[int | None, int | None] = (None, None),
    *,
    weights: tuple[float, ...] = WEIGHTS,
    kernel: int = 1,
    offset: float = 0.2,
    half: bool = False,
    stride: int = 1,
) -> pathlib.Path:
    """A convolution from three channels to one.

    Args:
      path: of the file.
      size: height and width of its input; None for any.
      weights: of the three channels; the same at every place of the kernel.
      kernel: side in pixels, odd.
      offset: added to the result.
      half: whether numbers are 16-bit floats.
      stride: of the convolution.
    """
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, proto = onnx.helper, onnx.TensorProto
    dtype, element = (np.float16, proto.FLOAT16) if half else (np.float32, proto.FLOAT)
    table = np.tile(np.reshape(weights, (1, -1, 1, 1)), (1, 1, kernel, kernel))
    node = helper.make_node(
        "Conv",
        ["image", "weights", "offset"],
        ["map"],
        kernel_shape=[kernel, kernel],
        pads=[kernel // 2] * 4,
        strides=[stride] * 2,
    )
    height, width = (
        name if side is None else side
        for name, side in zip(("height", "width"), size, strict=True)
    )
    graph = helper.make_graph(
        [node],
        "small",
        [
            helper.make_tensor_value_info(
                "image", element, [1, len(weights), height, width]
            )
        ],
        [helper.make_tensor_value_info("map", element, [1, 1, None, None])],
        [
            onnx.numpy_helper.from_array(table.astype(dtype), "weights"),
            onnx.numpy_helper.from_array(np.array([offset], dtype), "offset"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.save(model, str(path))
    return path
