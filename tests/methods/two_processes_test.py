"""Two processes on one machine score as one, and fail as one."""

import json

import pytest

from benchmarks.scaling import free_port
from pixel2mesh_jax import processes
from tests.methods import score_toys
from tests.training import programs

pytestmark = pytest.mark.slow
PROGRAM = "tests.methods.score_toys"


def two_environments():
    cluster = {
        processes.ADDRESS: f"localhost:{free_port()}",
        processes.PROCESS_COUNT: "2",
    }
    return [
        programs.environment(**cluster, **{processes.PROCESS_ID: str(number)})
        for number in range(2)
    ]


def scores_of(process):
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_scores_of_two_processes_equal_those_of_one():
    """Of a mesh of constant size and of one whose size varies; both return all."""
    expected = scores_of(programs.start(PROGRAM))
    assert set(expected) == set(score_toys.TOYS)
    for scores in expected.values():
        assert scores["num_samples"] == score_toys.NUM_BATCHES * score_toys.BATCH
    together = programs.start_together(two_environments(), PROGRAM)
    assert [scores_of(process) for process in together] == [expected, expected]


def test_the_error_of_one_process_ends_both_with_its_words():
    for process in programs.start_together(two_environments(), PROGRAM, 1):
        assert process.returncode != 0
        assert score_toys.FAILURE in process.stderr
