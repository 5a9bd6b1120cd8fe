"""Spoilt files are used or named; and whatever else happens is found."""

import random
import time

import pytest

from benchmarks import fuzz, fuzz_mutations, fuzz_targets
from benchmarks.fuzz_targets import Target
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes

TARGETS = fuzz_targets.targets()
# Inputs of a format here; `python -m benchmarks.fuzz` goes on from any number.
COUNT = 300
# Readers that are not done yet.
OPEN = {
    "npy": "NaN and damaged headers of .npy files",
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_itself_is_used(name, tmp_path):
    target = TARGETS[name]
    corpus = target.corpus()
    for files in corpus if f".{name}" in meshes.LOAD_SUFFIXES else corpus[:1]:
        for file, data in files.items():
            (tmp_path / file).write_bytes(data)
        target.use(tmp_path)
        for path in tmp_path.iterdir():
            path.unlink()


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_files_are_used_or_named(name, request):
    if name in OPEN:
        request.applymarker(pytest.mark.xfail(reason=OPEN[name]))
    tally = fuzz.fuzz(name, TARGETS[name], 0, COUNT)
    assert tally.findings == (), fuzz.report({name: tally})
    assert tally.tried == COUNT == tally.used + tally.named
    assert tally.named > 0


def found(use, monkeypatch):
    """What is said about a reader, for one input."""
    target = Target(lambda: [{"a.txt": b"1 2 3"}], use)
    (finding,) = fuzz.fuzz("text", target, 0, 1).findings
    return finding


def test_other_exceptions_are_findings(monkeypatch):
    finding = found(lambda folder: 1 / 0, monkeypatch)
    assert finding.kind.startswith("ZeroDivisionError in fuzz_test.py")
    assert "Traceback" in finding.details


def test_messages_that_name_no_file_are_findings(monkeypatch):
    def use(folder):
        raise InputError("something is wrong")

    assert found(use, monkeypatch).kind == "names no file"


def test_hangs_are_findings(monkeypatch):
    """Also in a reader that catches every exception."""
    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.2)

    def use(folder):
        try:
            time.sleep(5)
        except Exception as error:
            raise InputError("a.txt") from error

    assert found(use, monkeypatch).kind.startswith("Hang in fuzz_test.py")


def test_findings_are_kept_and_can_be_had_again(tmp_path):
    target = Target(lambda: [{"a.txt": b"1 2 3"}], lambda folder: 1 / 0)
    tally = fuzz.fuzz("text", target, 7, 2, tmp_path)
    assert [finding.number for finding in tally.findings] == [7, 8]
    kept = (tmp_path / "text_8" / "a.txt").read_bytes()
    assert kept == fuzz.spoilt(target.corpus(), random.Random("text 8"))["a.txt"]
    assert "Traceback" in (tmp_path / "text_8" / "finding.txt").read_text()
    assert (tmp_path / fuzz.IN_FLIGHT).read_text() == "--only text --first 8\n"


def test_equal_seeds_give_equal_files():
    data = b'{"a": [1, 2, {"b": 3}]}'
    first, again = (
        [fuzz_mutations.mutate(data, b"xyz", random.Random(i)) for i in range(50)]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) > 40


def test_program(capsys):
    assert fuzz.main(["--only", "off", "--count", "3", "--minutes", "1"]) == 0
    assert "| off | 3 |" in capsys.readouterr().out
