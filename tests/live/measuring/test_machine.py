"""The machine in words, and how much of it was free."""

from pathlib import Path

import pytest

from anarchy.live.measuring.machine import in_words, processor_time


def test_what_gives_way_and_waiting_for_disks_are_free(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 0 0 50 0 0 0 0 9 9\ncpu0 1 1 1 1\n")
    before = processor_time(stat)
    stat.write_text("cpu  20 5 5 60 20 5 5 0 9 9\ncpu0 1 1 1 1\n")
    assert processor_time(stat).free_share(before) == pytest.approx(35 / 60)
    assert before.free_share(before) == 1.0


def test_the_words_name_the_processor(tmp_path: Path) -> None:
    cpuinfo, meminfo = tmp_path / "cpuinfo", tmp_path / "meminfo"
    cpuinfo.write_text("processor : 0\nmodel name : Maker(R) Chip(TM) 9\n")
    meminfo.write_text(f"MemTotal: {24 * 1024**2} kB\n")
    words = in_words(cpuinfo, meminfo)
    assert "(Maker Chip 9), 24 GiB of memory" in words
    cpuinfo.write_text("processor : 0\n")
    assert "processors (" in in_words(cpuinfo, meminfo)
