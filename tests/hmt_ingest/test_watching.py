"""What is watched is given out once for each change, when it has settled."""

from __future__ import annotations

import os

import pytest

from hmt_ingest import watching
from hmt_ingest.registry import installed_readers
from hmt_ingest.suitability import Suitability
from hmt_ingest.walk import Found, Skipped, Walk
from hmt_ingest.watching import RETRY_SECONDS, Watch


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only while somebody sleeps."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(watching, "time", clock)
    return clock


@pytest.fixture
def folder(tmp_path, clock):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def looks(folder):
    watch = Watch(walk=Walk(suitability=Suitability(installed_readers())), paths=[folder, folder / "absent.txt"])
    return watch, watch.looks()


def names(look):
    return [entry.path.name for entry in look if isinstance(entry, Found)]


def given(looks, count):
    """What so many looks give, look by look, without those that give nothing."""
    return [found for found in (names(next(looks)) for _ in range(count)) if found]


def test_a_file_is_given_once_when_it_was_left_alone_for_two_seconds(looks, folder, clock):
    _, looks = looks
    assert names(next(looks)) == ["absent.txt"]  # named and not there: that is to be reported
    (folder / "a.txt").write_text("one")
    assert names(next(looks)) == []
    (folder / "a.txt").write_text("one and two")
    began = clock.now
    assert given(looks, 5) == [["a.txt"]]
    assert clock.now - began < 6
    assert given(looks, 5) == []
    (folder / "a.txt").write_text("one, two, three")
    assert given(looks, 5) == [["a.txt"]]


def test_a_file_that_is_written_to_all_the_time_waits(looks, folder):
    _, looks = looks
    path = folder / "a.log"
    found = []
    for number in range(8):
        path.write_text("x" * (number + 1))
        os.utime(path, (number, number))
        found += names(next(looks))
    assert found == ["absent.txt"]
    assert given(looks, 4) == [["a.log"]]


def test_a_vanished_file_is_noticed_once_and_given_again_when_it_is_back(looks, folder):
    watch, looks = looks
    path = folder / "a.txt"
    path.write_text("one")
    given(looks, 4)
    assert not watch.missed()
    path.unlink()
    assert (watch.missed(), watch.missed()) == (True, False)
    path.write_text("one")
    assert given(looks, 4) == [["a.txt"]]


def test_what_is_left_out_is_named_once(looks, folder):
    _, looks = looks
    (folder / "a.bin").write_bytes(bytes(100))
    skipped = [entry.path.name for _ in range(4) for entry in next(looks) if isinstance(entry, Skipped)]
    assert skipped == ["a.bin"]


def test_what_failed_by_no_fault_of_its_own_is_given_again_after_a_minute(looks, folder, clock):
    watch, looks = looks
    (folder / "a.txt").write_text("one")
    given(looks, 4)
    watch.retry(folder / "a.txt")
    began = clock.now
    while not (found := names(next(looks))):
        assert clock.now - began < RETRY_SECONDS + 2
    assert found == ["a.txt"]
    assert clock.now - began >= RETRY_SECONDS - 1
