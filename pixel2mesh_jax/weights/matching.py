"""Published tensors into our parameters: every name and every shape has to match.

A format is a table of rules, one line per kind of parameter: which published tensor
holds it and how its axes are ordered. Whatever does not match is collected and reported
in one error; nothing is skipped in silence.
"""

import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from pixel2mesh_jax.errors import InputError

Layout = Callable[[np.ndarray], np.ndarray]
Tensors = dict[str, np.ndarray]

# Parameters of residual blocks are stacked on a leading axis; a rule sees every block
# under its number: "stage1/blocks/conv1/own" is "stage1/blocks/0/conv1/own" and so on.
STACK = re.compile(r"(?P<stack>stage\d+/blocks)/(?P<rest>.+)")
STEM_AXIS = 2  # input channels of a kernel (height, width, in, out)
RGB_CHANNELS, RGBD_CHANNELS = 3, 4


def as_is(array: np.ndarray) -> np.ndarray:
    """The same order of axes on both sides."""
    return array


def from_torch_conv(array: np.ndarray) -> np.ndarray:
    """Kernel (out, in, height, width) to (height, width, in, out)."""
    return array.transpose(2, 3, 1, 0)


def from_torch_linear(array: np.ndarray) -> np.ndarray:
    """Matrix (out, in) to (in, out)."""
    return array.T


def from_torch_deconv(array: np.ndarray) -> np.ndarray:
    """Kernel (in, out, height, width) to (height, width, in, out), turned around.

    PyTorch's transposed convolution is the gradient of a convolution, Flax's is a
    convolution of the stretched image.
    """
    return array[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)


class Rule(NamedTuple):
    r"""Where a parameter is found in a file.

    Attributes:
      parameter: regular expression of its full name, "encoder/(conv\d_\d)/kernel".
      tensor: name of the published tensor; may use the groups, r"nn_encoder.\1.weight".
      layout: published to our order of axes.
      rank: number of axes of the tensor, where the layout changes it.
    """

    parameter: str
    tensor: str
    layout: Layout = as_is
    rank: int | None = None


class Format(NamedTuple):
    """Names and layouts of one kind of file.

    Attributes:
      rules: the first one that matches a parameter counts.
      is_model: whether the file holds a whole model, not only an image encoder.
      fresh: regular expression of parameters that the file has nothing for, which keep
        their first values.
      left_out: regular expression of tensors that no parameter needs.
      requires: settings under which these weights mean what they were trained for: flat
        name -> regular expression of its value as text.
    """

    rules: Sequence[Rule]
    is_model: bool
    fresh: str = r"(?!)"
    left_out: str = r"(?!)"
    requires: Mapping[str, str] = types.MappingProxyType({})


def assign(
    variables: Mapping,
    tensors: Tensors,
    form: Format,
    source: str,
    rgb_start: int = 0,
) -> dict:
    """The variables with the values of a file.

    A stem that sees colour and depth takes a kernel for colour: the channel of depth
    keeps its first value, as in Depth-Aware Pixel2Mesh, section 3.2.

    Args:
      variables: collections of a fresh model, nested dicts of arrays.
      tensors: contents of the file.
      form: its format.
      source: names the file in errors.
      rgb_start: channel of the stem where the three of colour begin.

    Raises:
      InputError: lists every parameter without tensor, every tensor without parameter,
        every wrong shape and every value that is not finite.
    """
    wanted = {name: _find(name, form) for name, _ in _numbered(variables)}
    if form.is_model:
        _check_is_model(wanted, tensors, source)
    problems, used, values = [], set(), {}
    for name, value in _numbered(variables):
        rule = wanted[name]
        if rule is None:
            if not re.fullmatch(form.fresh, name):
                problems.append(f"{name}: this format has no tensor for it")
            values[name] = value
            continue
        used.add(rule.tensor)
        problem, values[name] = _convert(tensors, rule, name, value, rgb_start)
        problems += [problem] if problem else []
    for name in sorted(tensors.keys() - used):
        if not re.fullmatch(form.left_out, name):
            shape = tensors[name].shape
            problems.append(f"{name} {shape}: in the file, not in the model")
    if problems:
        listed = "\n  ".join(problems)
        raise InputError(
            f"{source} does not fit the configured model, {len(problems)} "
            f"differences:\n  {listed}"
        )
    return _stacked(variables, values)


def _find(name, form) -> Rule | None:
    """The rule of a parameter, its groups filled in."""
    for rule in form.rules:
        match = re.fullmatch(rule.parameter, name)
        if match:
            return rule._replace(tensor=match.expand(rule.tensor))
    return None


def _check_is_model(wanted, tensors, source):
    encoder = {
        rule.tensor for name, rule in wanted.items() if rule and _in_encoder(name)
    }
    graph = {rule.tensor for rule in wanted.values() if rule} - encoder
    if graph & tensors.keys():
        return
    bare = {name.split(".", 1)[-1] for name in encoder}  # without "nn_encoder."
    held = len((encoder | bare) & tensors.keys())
    raise InputError(
        f"{source} is not a model: of {len(graph)} tensors of the graph network it "
        f"holds none, of {len(encoder)} of the image encoder {held}. A file of encoder "
        "weights alone cannot be used as a model."
    )


def _in_encoder(name):
    return name.startswith("encoder/")


def _convert(tensors, rule, name, value, rgb_start):
    """A problem in words if there is one, and the new value of a parameter."""
    array = tensors.get(rule.tensor)
    if array is None:
        return f"{rule.tensor}: not in the file, for {name} {value.shape}", value
    if array.ndim != (rule.rank or value.ndim):
        return f"{rule.tensor} {array.shape}: {name} is {value.shape}", value
    array = rule.layout(array)
    if _is_stem_without_depth(array.shape, value.shape):
        end = rgb_start + RGB_CHANNELS
        wide = np.array(value)
        wide[:, :, rgb_start:end] = array
        array = wide
    if array.shape != value.shape:
        text = f"{rule.tensor} {array.shape} in our layout: {name} is {value.shape}"
        return text, value
    if not np.isfinite(array).all():
        return f"{rule.tensor}: holds NaN or infinite values", value
    return None, array.astype(value.dtype)


def _is_stem_without_depth(found, expected):
    wide = (*found[:STEM_AXIS], RGBD_CHANNELS, *found[STEM_AXIS + 1 :])
    return found[STEM_AXIS : STEM_AXIS + 1] == (RGB_CHANNELS,) and expected == wide


def _numbered(variables) -> Iterator[tuple[str, np.ndarray]]:
    """Names without their collection, and values; stacked blocks one by one."""
    for path, leaf in _named(variables):
        _, name = path.split("/", 1)
        stacked = STACK.fullmatch(name)
        if stacked is None:
            yield name, np.asarray(leaf)
            continue
        for number, block in enumerate(np.asarray(leaf)):
            yield _block_name(stacked, number), block


def _block_name(stacked, number):
    return f"{stacked['stack']}/{number}/{stacked['rest']}"


def _stacked(variables, values):
    """The tree of `variables` with the values that `_numbered` names."""

    def rebuild(path, leaf):
        _, name = _keystr(path).split("/", 1)
        stacked = STACK.fullmatch(name)
        if stacked is None:
            return values[name]
        return np.stack([values[_block_name(stacked, i)] for i in range(len(leaf))])

    return jax.tree_util.tree_map_with_path(rebuild, variables)


def _named(tree):
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield _keystr(path), leaf


def _keystr(path):
    return jax.tree_util.keystr(path, simple=True, separator="/")
