"""What checkpoints do to the process that writes them."""

import contextlib
import sys

from pixel2mesh_jax.training import checkpoints


def test_what_threads_cannot_raise_is_shown_as_before_once_a_training_ends(
    tmp_path, monkeypatch
):
    """After an error they are late for a while; one hook hides all of them."""
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    mine = sys.unraisablehook
    for number in range(2):
        with (
            contextlib.suppress(ConnectionError),
            checkpoints.open_checkpoints(tmp_path / str(number)),
        ):
            raise ConnectionError("of the data, say")
    for text in ("Event loop is closed", "another one"):
        sys.unraisablehook(_Unraisable(RuntimeError(text)))
    assert [str(one.exc_value) for one in shown] == ["another one"]
    with checkpoints.open_checkpoints(tmp_path / "ends"):
        pass
    assert sys.unraisablehook == mine


class _Unraisable:
    """What `sys.unraisablehook` is called with."""

    def __init__(self, error):
        self.exc_value = error
