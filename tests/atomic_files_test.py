import os
import stat

import pytest

from pixel2mesh_jax.atomic_files import write_atomically


def test_the_new_content_replaces_the_old(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    for content in (b"old", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_failure_keeps_the_old_content_and_leaves_nothing_behind(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
