"""Readers of weight files: tensors by name, everything else refused in one line."""

import builtins
import os
import zipfile

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits
from pixel2mesh_jax.weights.files import load_tensors

TENSORS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b/bias": np.ones(4, np.float32),
}


def assert_loaded(path, expected=TENSORS):
    loaded = load_tensors(path)
    assert loaded.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_npz(tmp_path):
    np.savez(tmp_path / "x.npz", **TENSORS)
    assert_loaded(tmp_path / "x.npz")


def test_names_of_tensorflow_variables_lose_their_output_number(tmp_path):
    np.savez(tmp_path / "x.npz", **{f"{k}:0": value for k, value in TENSORS.items()})
    assert_loaded(tmp_path / "x.npz")


def test_safetensors(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(TENSORS, tmp_path / "x.safetensors")
    assert_loaded(tmp_path / "x.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".tar"])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_torch(tmp_path, suffix, wrapper):
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(value) for name, value in TENSORS.items()}
    state["sparse"] = torch.eye(3).to_sparse()
    contents = {wrapper: state, "epoch": 1} if wrapper else state
    torch.save(contents, tmp_path / f"x{suffix}")
    assert_loaded(tmp_path / f"x{suffix}")


def test_half_precision_becomes_float32(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "x.pt")
    assert load_tensors(tmp_path / "x.pt")["a"].dtype == np.float32


class Evil:
    """Unpickles to the call of a function."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_programs_in_a_torch_file_are_not_run(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"model": Evil(tmp_path / "was_run")}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="not a PyTorch file of tensors alone"):
        load_tensors(tmp_path / "x.pt")
    assert not (tmp_path / "was_run").exists()


def test_other_contents_of_a_torch_file(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="expected tensors by name"):
        load_tensors(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.npz", "not an npz of arrays"),
        ("x.safetensors", "not a safetensors file"),
        ("x.pt", "not a PyTorch file"),
        ("x.ckpt", "cannot read weights from '.ckpt' files. Valid: .npz, .pt, .pth"),
    ],
)
def test_damaged_and_foreign_files(tmp_path, name, message):
    if name in ("x.pt", "x.safetensors"):
        pytest.importorskip({"x.pt": "torch"}.get(name, "safetensors"))
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(InputError, match=message) as error:
        load_tensors(tmp_path / name)
    assert "\n" not in str(error.value)


def test_objects_in_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.array([{}], object))
    with pytest.raises(InputError, match="not an npz of arrays"):
        load_tensors(tmp_path / "x.npz")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_tensors(tmp_path / "x.npz")


def test_a_missing_library_names_the_extra(tmp_path, monkeypatch):
    name = "x.pt"
    (tmp_path / name).write_bytes(b"")
    real = builtins.__import__

    def without(module, *args, **kwargs):
        if module.split(".")[0] == "torch":
            raise ImportError(module)
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'pixel2mesh-jax\[torch\]'"):
        load_tensors(tmp_path / name)


def test_an_npz_that_unpacks_to_terabytes_is_refused_unread(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "bomb.npz", w=np.zeros(100_000, np.float32))
    monkeypatch.setattr(limits, "MAX_NPZ_BYTES", 100_000)
    with pytest.raises(InputError, match=r"unpacks to .* expected at most"):
        load_tensors(tmp_path / "bomb.npz")


def test_an_npz_whose_header_lies_is_refused(tmp_path):
    np.savez(tmp_path / "whole.npz", w=np.zeros((4, 4), np.float32))
    with zipfile.ZipFile(tmp_path / "whole.npz") as archive:
        content = archive.read("w.npy").replace(b"(4, 4), }", b"(9**9,9)}")
        larger = archive.read("w.npy").replace(b"(4, 4)", b"(9, 9)")
    for entry, message in ((larger, "but has 192"), (content, "not an npz")):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("w.npy", entry)
        with pytest.raises(InputError, match=message):
            load_tensors(tmp_path / "a.npz")
