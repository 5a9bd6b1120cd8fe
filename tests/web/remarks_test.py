"""Warnings of a job."""

import logging
import threading

from pixel2mesh_jax.web import remarks

logger = logging.getLogger("pixel2mesh_jax.io.masks")


def test_warnings_of_this_thread_alone_are_collected():
    with remarks.collected() as texts:
        logger.warning("%s: several labels", "mug.png")
        logger.info("nothing of interest")
        other = threading.Thread(target=logger.warning, args=("of another job",))
        other.start()
        other.join()
    logger.warning("afterwards")
    assert texts == ["mug.png: several labels"]


def test_nothing_is_left_behind_after_an_error():
    before = list(logging.getLogger(remarks.LOGGER).handlers)
    try:
        with remarks.collected():
            raise ValueError
    except ValueError:
        pass
    assert logging.getLogger(remarks.LOGGER).handlers == before
