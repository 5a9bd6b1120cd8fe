"""Weights and images of the recorded oracles: every tensor follows from its name.

The rule is that of `oracles/ORACLES.md` of the development data, section 1.
"""

import json
import pathlib
import zlib

import numpy as np

# Kinds of tensors that are data of the published program, not weights.
NOT_WEIGHTS = ("fixed", "alias", "zero")


class Recorded:
    """One oracle: its arrays, and the weights that it was computed with."""

    def __init__(self, data_dir: pathlib.Path, name: str):
        folder = data_dir / "oracles"
        with np.load(folder / f"{name}.npz") as arrays:
            self.arrays = dict(arrays)
        self.seed = int(self.arrays["seed"])
        entries = json.loads((folder / f"{name}.tensors.json").read_text())
        self.tensors = {
            key: tensor(key, entry, self.seed)
            for key, entry in entries.items()
            if entry["kind"] not in NOT_WEIGHTS
        }
        self._check()

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def _check(self):
        names, first = self.arrays["check_names"], self.arrays["check_first"]
        for name, value in zip(names, first, strict=True):
            assert self.tensors[name].ravel()[0] == value, name


def random(name: str, seed: int) -> np.random.Generator:
    """The generator of the tensor of that name."""
    return np.random.default_rng(zlib.crc32(name.encode()) + int(seed))


def tensor(name: str, entry: dict, seed: int) -> np.ndarray:
    """One weight, float32, in the layout of the published program."""
    kind, shape = entry["kind"], entry["shape"]
    noise = random(name, seed).standard_normal(shape).astype(np.float32)
    if kind in ("conv", "linear", "gconv", "convT2"):
        spread = entry["gain"] / np.sqrt(_fan_in(kind, shape))
        value = np.float32(spread) * noise
    elif kind in ("bias", "bn_mean"):
        value = np.float32({"bias": 0.01, "bn_mean": 0.1}[kind]) * noise
    elif kind in ("wn_g", "fourier"):
        value = np.float32(entry["gain"]) * (
            noise if kind == "fourier" else 1 + np.float32(0.1) * noise
        )
    elif kind == "bn_var":
        value = 1 + np.float32(0.1) * np.abs(noise)
    else:
        assert kind == "bn_weight", kind
        value = 1 + np.float32(0.1) * noise
    return value + np.asarray(entry.get("add", 0), np.float32)


def image(seed: int, batch: int, size: int) -> np.ndarray:
    """Images (B, size, size, 3) in [0, 1): coarse squares and fine noise."""
    generator = random("image", seed)
    coarse = generator.random((batch, 3, 7, 7))
    fine = generator.random((batch, 3, size, size))
    repeat = -(-size // 7)
    big = np.kron(coarse, np.ones((1, 1, repeat, repeat)))[:, :, :size, :size]
    return np.moveaxis(0.7 * big + 0.3 * fine, 1, -1).astype(np.float32)


def _fan_in(kind, shape):
    if kind == "gconv":
        return shape[0]
    return shape[0] * np.prod(shape[2:]) / 4 if kind == "convT2" else np.prod(shape[1:])
