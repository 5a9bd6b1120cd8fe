"""Compiled programs on disk: half of one is not kept."""

import zlib

from pixel2mesh_jax import compilation_cache

WHOLE = zlib.compress(b"a program" * 1000)


def test_half_an_entry_goes_and_whole_ones_stay(tmp_path):
    entries = {"a-cache": WHOLE, "b-cache": WHOLE[:-9], "c-cache": b"", "other": b""}
    for name, data in entries.items():
        (tmp_path / name).write_bytes(data)
    compilation_cache.drop_unfinished(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a-cache", "other", compilation_cache.CHECKED}


def test_an_entry_is_read_once(tmp_path):
    (tmp_path / "a-cache").write_bytes(WHOLE)
    compilation_cache.drop_unfinished(tmp_path)
    (tmp_path / "a-cache").write_bytes(b"not read")
    (tmp_path / "b-cache").write_bytes(b"half")
    compilation_cache.drop_unfinished(tmp_path)
    assert (tmp_path / "a-cache").exists()
    assert not (tmp_path / "b-cache").exists()


def test_no_folder_and_a_folder_that_takes_nothing_are_no_reason_to_complain(
    tmp_path, monkeypatch
):
    compilation_cache.drop_unfinished(tmp_path / "nowhere")
    (tmp_path / "a-cache").write_bytes(WHOLE)
    monkeypatch.setattr(compilation_cache, "write_atomically", refuse)
    compilation_cache.drop_unfinished(tmp_path)
    assert (tmp_path / "a-cache").exists()


def refuse(path, data):
    raise PermissionError(path)
