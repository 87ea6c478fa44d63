"""The end of a log, whatever stands in it, and of no other file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.dashboard.log_tail import MOST_LINES, TAIL_BYTES, log_names, read_tail


def write(folder: Path, name: str, lines: list[str]) -> None:
    (folder / f"{name}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def line(number: int, **more: object) -> str:
    told = {"service": "paper_trader", "action": "fill", "level": "info", "timestamp": "2024-03-01T00:00:00Z"}
    return json.dumps({**told, "message": f"line {number}", **more})


def test_the_newest_lines_come_first_with_what_they_carry(tmp_path: Path) -> None:
    write(tmp_path, "paper_trader", [line(1), line(2, symbol="BTC-USD", price="1.5"), "Traceback: not JSON", "[1, 2]"])
    found = read_tail(tmp_path, "paper_trader")
    assert [each["message"] for each in found] == ["[1, 2]", "Traceback: not JSON", "line 2", "line 1"]
    assert found[2] == {
        "at": "2024-03-01T00:00:00Z", "level": "info", "action": "fill", "message": "line 2",
        "more": "symbol=BTC-USD, price=1.5",
    }  # fmt: skip


def test_of_a_large_log_only_the_end_is_read(tmp_path: Path) -> None:
    numbers = range(3 * TAIL_BYTES // len(line(10_000)))
    write(tmp_path, "paper_trader", [line(10_000 + each) for each in numbers])
    found = read_tail(tmp_path, "paper_trader")
    assert [each["message"] for each in found] == [
        f"line {10_000 + each}" for each in reversed(numbers[-MOST_LINES:])
    ]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "", "paper_trader.log", "Paper", ".hidden"])
def test_no_path_can_be_asked_for(tmp_path: Path, name: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write(tmp_path, "secret", [line(1)])
    write(logs, "Paper", [line(1)])
    assert read_tail(logs, name) == []


def test_services_with_a_log_are_listed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("paper_trader", "dashboard", "Odd Name"):
        write(tmp_path, name, [line(1)])
    (tmp_path / "supervisord.pid").write_text("1")
    assert log_names(tmp_path) == ["dashboard", "paper_trader"]
    assert log_names(tmp_path / "nowhere") == []
    assert read_tail(tmp_path, "feature_calculator") == []
