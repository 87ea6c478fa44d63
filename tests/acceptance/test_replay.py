"""The main job on real input: candles in, paper trades out, through the real processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tracker.testing.candle_files import cut_candles

from tests.acceptance.conftest import Outcome

ROWS = 9_000
STRATEGIES = {"dca", "swing", "channel"}


@pytest.fixture
def cut(shared_candles: Path, tmp_path: Path) -> Path:
    return cut_candles(
        shared_candles / "BTC-PERP_1m_2022-01.csv", tmp_path / "candles" / "BTC-PERP_1m_cut.csv", skip=5_000, rows=ROWS
    )


def expected_bars(path: Path) -> dict[str, int]:
    frame = pd.read_csv(path, parse_dates=["ts"], index_col="ts")
    sizes = {name: int((frame["close"].resample(rule).count() > 0).sum()) for name, rule in
             {"5m": "5min", "15m": "15min", "1h": "1h", "1d": "1D"}.items()}
    return {"1m": len(frame), **sizes}


@pytest.mark.timeout(300)
def test_candles_become_paper_trades_twice_alike(tracker: Callable[..., Outcome], cut: Path) -> None:
    first = tracker("replay", "--candles", str(cut), "--json")
    assert first.code == 0, first.err
    report = first.document
    assert report["bars"] == {"BTC-PERP": expected_bars(cut)}
    closes = expected_bars(cut)["15m"] - 1
    assert set(report["scans"]) == STRATEGIES
    assert all(closes <= count <= closes + 1 for count in report["scans"].values())
    assert report["trades"] > 0
    assert report["fills"] >= 2 * report["trades"]
    assert report["ledger_ok"] is True
    assert report["rejected"] == 0
    balance = report["starting_cash"] + report["realised_pnl"] + report["unrealised_pnl"] - report["fees"]
    assert math.isclose(report["final_equity"], balance, abs_tol=0.005)

    second = tracker("replay", "--candles", str(cut.parent), "--symbols", "BTC-PERP", "--json")
    assert second.code == 0, second.err
    assert {**second.document, "seconds": 0} == {**report, "seconds": 0}


@pytest.mark.timeout(200)
def test_a_row_that_holds_no_number_is_told_kept_and_left_behind(
    tracker: Callable[..., Outcome], tmp_path: Path
) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(40):
        rows.append(f"2024-03-01T00:{minute:02d}:00Z,100,101,99,100.5,5")
    rows[11] = "2024-03-01T00:10:00Z,abc,101,99,100.5,5"
    rows[21] = "2024-03-01T00:20:00Z,100,90,99,100.5,5"
    (folder / "AAA-USD_1m.csv").write_text("\n".join(rows) + "\n")
    outcome = tracker("replay", "--candles", str(folder), "--json")
    assert outcome.code == 2
    assert "AAA-USD_1m.csv" in outcome.err
    assert "open = 'abc'" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.document["rejected"] == 2
    assert outcome.document["bars"]["AAA-USD"]["1m"] == 38


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("AAA-USD_1m.csv", "ts,open,high,low,volume\n", "close"),
        ("AAA-USD_7m.csv", "ts,open,high,low,close,volume\n", "7m"),
        ("AAA-USD_1m.csv", "ts,open,high,low,close,volume\n", "no candle"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    tracker: Callable[..., Outcome], tmp_path: Path, name: str, text: str, words: str
) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    (folder / name).write_text(text)
    outcome = tracker("replay", "--candles", str(folder), "--json")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_folder_that_is_not_there_and_a_symbol_without_candles_are_one_sentence(
    tracker: Callable[..., Outcome], tmp_path: Path
) -> None:
    nowhere = tracker("replay", "--candles", str(tmp_path / "nowhere"))
    assert (nowhere.code, nowhere.err.count("\n")) == (2, 1)
    assert "nowhere" in nowhere.err
    (tmp_path / "AAA-USD_1m.csv").write_text("ts,open,high,low,close,volume\n2024-03-01T00:00:00Z,1,1,1,1,1\n")
    unknown = tracker("replay", "--candles", str(tmp_path), "--symbols", "ZZZ-USD")
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    assert "ZZZ-USD" in unknown.err
