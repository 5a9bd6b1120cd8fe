import os
import stat

import pytest

from pixel2mesh_jax import atomic_files
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


def test_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: events.append(name) or real(*a)
        )
    write_atomically(tmp_path / "a.txt", b"content")
    assert events == ["fsync", "replace", "fsync"]  # the file, then the folder


def test_a_folder_gets_its_name_when_all_of_it_is_on_the_disk(tmp_path, monkeypatch):
    events, rename = [], os.rename
    monkeypatch.setattr(
        atomic_files, "flush_to_disk", lambda path: events.append(path.name)
    )
    monkeypatch.setattr(os, "rename", lambda *a: events.append("rename") or rename(*a))
    (tmp_path / "made" / "inner").mkdir(parents=True)
    (tmp_path / "made" / "inner" / "a.txt").write_text("content")
    atomic_files.publish_folder(tmp_path / "made", tmp_path / "shown" / "1.0")
    assert events == ["a.txt", "inner", "made", "rename", "shown"]
    assert (tmp_path / "shown" / "1.0" / "inner" / "a.txt").read_text() == "content"


def test_what_a_killed_process_left_is_used_and_gone(tmp_path):
    path = tmp_path / ("a" * 250)
    partial = tmp_path / atomic_files._partial_name(path.name)
    partial.write_bytes(b"half of somethi")
    write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"new"
