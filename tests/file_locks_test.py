"""Locks: one holder at a time, free again whatever became of the last one."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from pixel2mesh_jax import file_locks
from pixel2mesh_jax.errors import InputError

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]


def hold(path):
    return file_locks.hold(path, "data is being written", "go away")


def test_who_comes_second_is_told_who_holds_it(tmp_path):
    path = tmp_path / "folder" / "some.lock"
    message = rf"data is being written \(process {os.getpid()}\); wait.*or go away"
    with hold(path), pytest.raises(InputError, match=message), hold(path):
        pass
    assert not path.parent.exists()
    with hold(path):
        pass


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path):
    path = tmp_path / "some.lock"
    program = (
        "import os, pathlib; from pixel2mesh_jax import file_locks\n"
        f"with file_locks.hold(pathlib.Path({str(path)!r}), 'data', ''):\n"
        "    os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    dead = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert dead.returncode == -signal.SIGKILL
    assert path.exists()
    with hold(path), pytest.raises(InputError), hold(path):
        pass
    assert not path.exists()


def test_who_waits_gets_a_file_of_its_own(tmp_path):
    """The first one renames what it wrote; the second must not write into that."""
    path, renamed = tmp_path / "a.partial", tmp_path / "a"

    def second():
        with file_locks.open_alone(path, wait=True) as file:
            file.write(b"second")

    first = file_locks.open_alone(path)
    waiting = threading.Thread(target=second)
    waiting.start()
    first.write(b"first")
    first.flush()
    path.rename(renamed)
    first.close()
    waiting.join()
    assert renamed.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
