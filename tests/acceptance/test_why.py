"""Every day of a replay without a trade is explained, strategy by strategy, by numbers that decided."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.signal import Strategy
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import load_file
from tracker.runtime.settings import PROJECT_ROOT, environment, load_settings
from tracker.testing.candle_files import cut_candles

from services.control.database_at_hand import asked_database
from services.control.funnel import FunnelRequest, read_funnel
from services.control.settings import ControlSettings
from services.control.why import WhyRequest, read_why
from tests.acceptance.conftest import TRACKER

SYMBOL = "BTC-PERP"
DAY = timedelta(days=1)
FILES = {each: load_file(PROJECT_ROOT / "configs", each, RULES) for each in RULES}
TIMEFRAMES = {each: file.config.timeframe for each, file in FILES.items()}
SKIP, ROWS = 5_000, 16_000
# Seven hours of minutes that the file leaves out; 28 closes have no bar then.
HOLE = (datetime(2022, 1, 10, 3, tzinfo=UTC), datetime(2022, 1, 10, 10, tzinfo=UTC))


@dataclass(slots=True)
class Replayed:
    """A replay that was made with the command line, its database open."""

    state_dir: Path
    url: str = ""
    report: dict[str, Any] = field(default_factory=dict[str, Any])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {"TRACKER_STATE_DIR": str(self.state_dir), "DATABASE_URL": ""}
        return subprocess.run(
            [str(TRACKER), *arguments], capture_output=True, text=True, timeout=240, check=False,
            env={**environment(), **variables},
        )  # fmt: skip

    def funnel(self, until: datetime) -> list[dict[str, Any]]:
        request = FunnelRequest(hours=24, until=until, strategy=None, account=None, symbols=(SYMBOL,), replay=True)
        return asyncio.run(read_funnel(self.url, request, TIMEFRAMES, tuple(RULES)))["strategies"]

    def why(self, strategy: str, at: str | datetime) -> dict[str, Any]:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        request = WhyRequest(symbol=SYMBOL, strategy=Strategy(strategy), at=moment, replay=True)
        (found,) = asyncio.run(read_why(self.url, request, [FILES[Strategy(strategy)]], tuple(RULES)))
        return found


@pytest.fixture(scope="module")
def replayed(shared_candles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """Eleven days of bitcoin with a hole."""
    folder = tmp_path_factory.mktemp("why")
    path = cut_candles(
        shared_candles / "BTC-PERP_1m_2022-01.csv", folder / "candles" / "BTC-PERP_1m_cut.csv", skip=SKIP, rows=ROWS
    )
    head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not HOLE[0] <= opened(line) < HOLE[1]]
    assert len(lines) - len(kept) == 420
    path.write_text("".join([head, *kept]), encoding="utf-8")
    made = Replayed(folder / "state")
    done = made.run("replay", "--candles", str(path), "--keep", "--json")
    assert done.returncode == 0, done.stderr
    made.report = json.loads(done.stdout)
    settings = load_settings(ControlSettings, {"state_dir": made.state_dir, "database_url": None})
    with asked_database(settings, replay=True) as url:
        made.url = url
        yield made


def opened(line: str) -> datetime:
    moment = datetime.fromisoformat(line.split(",", 1)[0])
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def days() -> list[datetime]:
    return [datetime(2022, 1, 4, tzinfo=UTC) + number * DAY for number in range(12)]


@pytest.mark.timeout(300)
def test_every_day_without_a_trade_is_explained(replayed: Replayed) -> None:
    scans, trades, explained = Counter[str](), Counter[str](), Counter[str]()
    for day in days():
        for block in replayed.funnel(day + DAY):
            steps = {each["step"]: each for each in block["steps"]}
            adds_up(block["steps"])
            assert block["behind"] is None or day == days()[-1]
            scans[block["account"]] += steps["scans"]["count"]
            trades[block["account"]] += steps["closed"]["count"]
            if steps["scans"]["count"] and not steps["closed"]["count"]:
                explained[why_none(replayed, block)] += 1
    # No look and no trade was left out.
    assert set(scans.values()) == {sum(replayed.report["scans"].values())}
    assert trades["paper"] == replayed.report["trades"]
    assert explained["no_setup"] > 0
    assert sum(explained.values()) > 20


def adds_up(steps: list[dict[str, Any]]) -> None:
    for here, after in pairwise(steps):
        assert here["count"] == after["count"] + here["fell_out"]
    for step in steps:
        assert step["fell_out"] == sum(each["count"] for each in step["reasons"])


def why_none(replayed: Replayed, block: dict[str, Any]) -> str:
    """Return the commonest reason of a day without a trade, its nearest look having been explained."""
    stopped = [each for step in block["steps"] for each in step["reasons"]]
    assert sum(each["count"] for each in stopped) == block["steps"][0]["count"]
    nearest = block["nearest"][0]
    found = replayed.why(block["strategy"], nearest["at"])
    assert found["at"] == nearest["at"]
    assert found["recomputed"]["agrees"] is True
    if found["decision"] == "SIGNAL":
        [account] = [each for each in found["accounts"] if each["account"] == block["account"]]
        assert (account["last_step"], account["stopped_by"]) == (nearest["step"], nearest["reason"])
        assert f"{account['account']}: {account['says']}" in found["answer"]
        return max(stopped, key=lambda each: each["count"])["reason"]
    assert found["reason"] == nearest["reason"]
    if found["reason"] == "warming_up":
        unknown = [each for each in found["features"] if not each["known"] and not each["optional"]]
        assert unknown
        assert all(each["bars_there"] < each["bars_needed"] for each in unknown)
    else:
        failed = next(each for each in found["conditions"] if each["kind"] == "gate" and not each["holds"])
        assert failed["reason"] == found["reason"]
        assert is_told(failed)
        assert failed["name"] in found["answer"]
    return max(stopped, key=lambda each: each["count"])["reason"]


def is_told(condition: dict[str, Any]) -> bool:
    """Tell whether a condition has its numbers, or each of its parts that does not hold has."""
    if condition["parts"]:
        return all(is_told(each) for each in condition["parts"] if not each["holds"])
    return condition["margin"] is not None and condition["margin"] <= 0 and condition["limit"] is not None


@pytest.mark.timeout(300)
def test_the_day_with_the_hole_is_explained_as_such(replayed: Replayed) -> None:
    for block in replayed.funnel(datetime(2022, 1, 11, tzinfo=UTC)):
        stopped = {each["reason"]: each["count"] for step in block["steps"] for each in step["reasons"]}
        assert stopped["no_bar"] == 28
    found = replayed.why("swing", HOLE[0] + timedelta(hours=2))
    assert (found["reason"], found["bar"], found["broken"]["where"]) == ("no_bar", None, "bars")
    assert "420 1m bars from 2022-01-10 03:00 UTC to 2022-01-10 10:00 UTC" in found["answer"]
    after = replayed.why("swing", HOLE[1] + timedelta(minutes=15))
    assert after["broken"] is None


@pytest.mark.timeout(300)
def test_the_command_line_says_it_to_people_and_to_scripts(replayed: Replayed) -> None:
    told = replayed.run("why", SYMBOL, "--replay", "--strategy", "dca", "--at", "2022-01-08T12:07Z", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert {"symbol", "strategy", "at", "bar", "features", "conditions", "decision", "reason", "score", "model",
            "signal", "accounts"} <= set(found)  # fmt: skip
    assert found["at"] == "2022-01-08T12:00:00+00:00"
    assert found == replayed.why("dca", found["at"]) | {"answer": found["answer"]}
    shown = replayed.run("why", SYMBOL, "--replay")
    assert shown.returncode == 0, shown.stderr
    assert [shown.stdout.count(f"{SYMBOL}, {name}, close of") for name in sorted(RULES)] == [1, 1, 1]
    counted = json.loads(replayed.run("funnel", "--replay", "--at", "2022-01-09", "--json").stdout)
    assert {each["strategy"] for each in counted["strategies"]} == {"dca", "swing", "channel"}
    assert "fell out" in replayed.run("funnel", "--replay", "--hours", "240").stdout
    for arguments, sentence in (
        (("why", "BTC", "--replay"), "tracker: SYMBOL: 'BTC' is not in the database; is it BTC-PERP?\n"),
        (("funnel", "--replay", "--account", "x"), "tracker: --account: there is no 'x'; known are "),
        (("why", SYMBOL, "--replay", "--strategy", "none"), "tracker: there is no rule 'none'; known are "),
        (("why", SYMBOL, "--replay", "--at", "noon"), "tracker: --at: 'noon' is not an ISO time"),
    ):
        refused = replayed.run(*arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert refused.stderr.startswith(sentence)
