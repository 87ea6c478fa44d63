"""Each look, and each look that was never taken, is explained by what the fleet did."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.domain.funnel import FunnelStep
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import StrategyFile, load_file, note_file
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.strategies import load_rules, load_strategy, scanned_strategies
from tracker.testing.written_strategy import write_strategy

from services.control.funnel import FunnelRequest, read_funnel
from services.control.why import WhyRequest, read_why
from services.control.why_view import why_view

DAY = timedelta(days=1)
OPENED = datetime(2022, 1, 18, 6, tzinfo=UTC)
# The scanner of dca looks through here and no further.
DEAD_SINCE = OPENED + 3 * DAY
END = OPENED + 4 * DAY
HOLE = (OPENED + 2 * DAY, OPENED + 2 * DAY + timedelta(hours=6))
FILES = [load_file(PROJECT_ROOT / "configs", each, RULES) for each in RULES]
SCANNED = scanned_strategies(PROJECT_ROOT / "configs")


@pytest.fixture
async def fleet(floor: Any) -> Any:
    """Four days of a market with a hole of six hours; dca's scanner dies after the third, the others go on."""
    await floor.trade("BTC-USD", (OPENED - 8 * DAY, HOLE[0]), (HOLE[1], END))
    await floor.execute(
        "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, attempts, last_error)"
        f" VALUES (1, '1m', '{HOLE[0].isoformat()}', '{HOLE[1].isoformat()}', 'disconnected', 3, 'HTTP 500')"
    )
    for name in ("channel", "swing", "dca"):
        await floor.close(DEAD_SINCE)
        await floor.run(floor.scanner(name))
    await floor.close(END)
    for name in ("channel", "swing"):
        await floor.run(floor.scanner(name))
    await floor.execute(
        "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes,"
        " detail) VALUES ('strategy_scanner_dca', 'i', 1, now() - interval '2 days', now() - interval '20 hours',"
        """ 'fail', 1, '{"problem": "it ran out of memory"}')"""
    )
    return floor


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


async def why(
    url: str, at: datetime | None, strategy: str = "dca", *, symbol: str = "BTC-USD",
    files: Sequence[StrategyFile] = FILES,
) -> dict[str, Any]:  # fmt: skip
    chosen = [each for each in files if each.config.strategy == strategy]
    request = WhyRequest(symbol=symbol, strategy=Strategy(strategy), at=at, replay=False)
    (found,) = await read_why(url, request, chosen, SCANNED)
    assert json.loads(json.dumps(found)) == found
    return found


def shown(*documents: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=250).print(why_view(documents))
    return out.getvalue()


def failed(found: dict[str, Any]) -> dict[str, Any] | None:
    return next((each for each in found["conditions"] if each["kind"] == "gate" and not each["holds"]), None)


async def test_every_look_is_explained_by_the_condition_that_decided_it(fleet: Any, url: str) -> None:
    seen: set[str] = set()
    for row in (await fleet.looks())[::7]:
        found = await why(url, row["decided_at"], row["strategy"])
        assert (found["decision"], found["reason"]) == (row["decision"], row["reason"])
        seen.add(row["reason"])
        if row["reason"] == "no_bar":
            continue
        assert found["recomputed"]["agrees"] is True
        assert found["recomputed"]["same_config"] is True
        first = failed(found)
        if row["decision"] == "SIGNAL":
            assert first is None
        else:
            assert first is not None
            assert first["reason"] == row["reason"]
            if row["reason"] == "warming_up":
                unknown = [each for each in found["features"] if not each["known"] and not each["optional"]]
                assert unknown
                assert all(each["name"] in found["answer"] and each["why"] in found["answer"] for each in unknown[:3])
                continue
            assert has_numbers(first), first
            assert f"No signal, {row['reason']}: {first['name']}" in found["answer"]
    assert {"no_setup", "trend_against", "no_bar", "warming_up"} <= seen


def has_numbers(condition: dict[str, Any]) -> bool:
    if condition["parts"]:
        return all(has_numbers(each) for each in condition["parts"])
    return None not in (condition["observed"], condition["limit"], condition["margin"])


async def test_a_hole_in_the_bars_is_told_by_the_gap_ledger(fleet: Any, url: str) -> None:
    found = await why(url, HOLE[0] + timedelta(hours=1))
    assert (found["decision"], found["reason"], found["bar"]) == ("SKIP", "no_bar", None)
    assert found["broken"]["where"] == "bars"
    assert "360 1m bars from 2022-01-20 06:00 UTC to 2022-01-20 12:00 UTC are missing (disconnected)" in found["answer"]
    assert "asked for 3 times, last error: HTTP 500" in found["answer"]
    assert found["broken"]["do"].startswith("the collector goes on asking for them: `tracker gaps --symbols BTC-USD")
    await fleet.execute("UPDATE tracker.data_gaps SET state = 'confirmed_empty', resolved_at = now()")
    found = await why(url, HOLE[0] + timedelta(hours=1))
    assert "had no trades, as the vendor confirmed" in found["answer"]
    await fleet.execute("DELETE FROM tracker.data_gaps")
    assert "the gap ledger knows nothing of that time" in (await why(url, HOLE[1]))["answer"]


async def test_a_dead_scanner_is_told_with_its_last_words(fleet: Any, url: str) -> None:
    found = await why(url, None)
    assert found["at"] == END.isoformat()
    assert (found["decision"], found["broken"]["where"]) == (None, "scan")
    assert found["answer"] == (
        "No look: dca has looked at the market through 2022-01-21 06:00 UTC only; strategy_scanner_dca was last heard"
        " of 20 h 0 min ago: it ran out of memory."
    )
    assert "logs/strategy_scanner_dca.log" in found["broken"]["do"]
    # What the rule would have said is said all the same.
    assert found["recomputed"]["agrees"] is None
    assert len(found["conditions"]) > 10
    assert "What to do: `tracker status`" in shown(found)

    report = await read_funnel(
        url,
        FunnelRequest(hours=24, until=None, strategy=None, account=None, symbols=(), replay=False),
        {each.config.strategy: each.config.timeframe for each in FILES},
        SCANNED,
    )
    blocks = {each["strategy"]: each for each in report["strategies"]}
    assert (blocks["dca"]["steps"][0]["count"], blocks["dca"]["closes_not_scanned"]) == (0, 96)
    assert "it ran out of memory" in blocks["dca"]["behind"]["says"]
    assert (blocks["swing"]["steps"][0]["count"], blocks["swing"]["behind"]) == (96, None)


async def test_the_first_link_that_broke_is_named(fleet: Any, url: str) -> None:
    later = END + timedelta(minutes=15)
    assert (await why(url, later))["broken"]["where"] == "bars"
    await fleet.close(later, frames=(Timeframe.M15,))
    await fleet.execute(f"UPDATE tracker.bar_watermarks SET closed_through = '{(END + DAY).isoformat()}'")
    await fleet.trade("BTC-USD", (END, later + timedelta(hours=1)))
    found = await why(url, later + timedelta(minutes=30), "swing")
    assert found["broken"]["where"] == "features"
    assert "nothing was ever heard of feature_calculator" in found["answer"]
    found = await why(url, OPENED - 2 * DAY, "swing")
    assert found["broken"]["where"] == "scan"
    assert "its first look was at 2022-01-18 06:15 UTC" in found["answer"]
    await fleet.execute(
        "UPDATE tracker.symbols SET status = 'unsupported', status_reason = 'the vendor does not list it'"
    )
    found = await why(url, later, "swing")
    assert found["broken"]["where"] == "symbol"
    assert found["answer"].startswith("No look: BTC-USD is unsupported since")
    assert found["answer"].endswith(": the vendor does not list it.")


async def test_what_is_not_known_says_how_many_bars_it_needs(floor: Any, url: str) -> None:
    await floor.trade("BTC-USD", (OPENED - DAY, OPENED + DAY))
    await floor.close(OPENED + DAY)
    await floor.run(floor.scanner("swing"))
    found = await why(url, OPENED + timedelta(hours=2), "swing")
    assert found["reason"] == "warming_up"
    unknown = {each["name"]: each for each in found["features"] if not each["known"]}
    assert (unknown["h1_adx_14"]["bars_needed"], unknown["h1_adx_14"]["bars_there"]) == (49, 26)
    assert "h1_ema_21_distance is not known, warming up: 26 of 43 1h bars are there" in found["answer"]
    assert found["answer"].endswith(" more are not known.")
    assert not unknown["h1_adx_14"]["optional"]
    assert unknown["d1_ema_9_distance"]["optional"]
    assert "made of the latest closed 1d bar, and there is no recent one" in unknown["d1_ema_9_distance"]["why"]
    assert "26 of 49 1h bars" in shown(found)


async def test_a_look_is_explained_by_the_configuration_it_was_taken_under(fleet: Any, url: str) -> None:
    file = next(each for each in FILES if each.config.strategy == "swing")
    config = load_strategy(PROJECT_ROOT / "configs", Strategy("swing"), {"min_natr_pct": 3.9})
    edited = [replace(file, config=config, hash="edited")]
    looks = [each for each in await fleet.looks() if each["strategy"] == "swing"]
    row = next(each for each in looks if each["reason"] == "trend_against")
    found = await why(url, row["decided_at"], "swing", files=edited)
    now = found["recomputed"]
    assert (now["agrees"], now["same_config"], now["reason"]) == (False, False, "volatility_out_of_range")
    assert f"decided under configuration {row['config_hash']}, which is not known any more" in found["answer"]
    async with fleet.owner.transaction() as transaction:
        await note_file(transaction, file, "test")
        await transaction.commit()
    found = await why(url, row["decided_at"], "swing", files=edited)
    assert (found["recomputed"]["agrees"], found["recomputed"]["same_config"]) == (True, True)
    assert found["answer"].startswith("No signal, trend_against: ")


async def test_a_look_that_the_rules_do_not_give_is_named(fleet: Any, url: str) -> None:
    await fleet.execute("UPDATE tracker.scan_history SET reason = 'channel_broken' WHERE reason = 'no_setup'")
    row = next(each for each in await fleet.looks() if each["reason"] == "channel_broken")
    found = await why(url, row["decided_at"], row["strategy"])
    assert found["recomputed"]["agrees"] is False
    assert "which they must not: `tracker verify parity` says what differs" in found["answer"]


@pytest.mark.parametrize(
    ("rows", "step", "says"),
    [
        ((), FunnelStep.SCORED, "paper: not answered yet: the paper trader has acted on the minutes to 2022-01-18 06:00"
         " UTC only; nothing was ever heard of paper_trader"),
        (("refused",), FunnelStep.SCORED, "paper: refused, too_many_positions: 5 of 5 positions are open"),
        (("filled", "open"), FunnelStep.FILLED, "paper: approved 2, sized by risk, bought 2, still held"),
        (("expired", "void"), FunnelStep.APPROVED, "paper: approved 2, sized by risk, nothing filled: expired"),
    ],
)  # fmt: skip
async def test_a_signal_tells_what_each_account_made_of_it(
    fleet: Any, url: str, rows: tuple[str, ...], step: FunnelStep, says: str
) -> None:
    signal = (await fleet.signals())[0]
    at = signal["decided_at"].isoformat()
    await fleet.execute(
        "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
        f" VALUES ('paper', 'USD', 1, '{OPENED.isoformat()}', 1)"
    )
    await fleet.execute(f"INSERT INTO tracker.paper_cursor VALUES ('paper', '{OPENED.isoformat()}', '{OPENED}')")
    key = f"'paper', '{signal['strategy']}', 1, '{at}'"
    if rows:
        refused = rows[0] == "refused"
        reason, note = ("'too_many_positions'", "5 of 5 positions are open") if refused else ("NULL", "sized by risk")
        await fleet.execute(
            "INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason,"
            " note, quantity, filled_quantity, reference_price, placed_at, ended_at, config_hash, rules_hash) VALUES"
            f" ({key}, 'entry', 'entry', 'buy', '{rows[0]}', {reason}, '{note}', {0 if refused else 2}, 0, 100,"
            f" '{at}', '{at}', 'h', 'r')"
        )
    if len(rows) > 1:
        held = 2 if rows[1] == "open" else 0
        await fleet.execute(
            "INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side,"
            " status, quantity_step, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees,"
            " stop_price, initial_stop_price, target_price, trail_distance, expires_at, entry_until) VALUES"
            f" ({key}, 'h', 'r', 'long', '{rows[1]}', 1, {held}, 0, {held}, 0, 0, 0, 0, 90, 90, 110, 0, '{at}', '{at}')"
        )
    await fleet.execute(
        "INSERT INTO tracker.protection_locks VALUES"
        f" ('paper', 'cool_down', 1, '{at}'::timestamptz - interval '1 hour', '{at}'::timestamptz + interval '1 hour',"
        f" 1, 'stopped out'), ('paper', 'halt', NULL, '{at}', '{at}'::timestamptz + interval '1 hour', 1, 'later')"
    )
    found = await why(url, signal["decided_at"], signal["strategy"])
    assert [each["protection"] for each in found["accounts"][0]["locks"]] == ["cool_down"]
    assert "stopped out" in shown(found)
    assert found["decision"] == "SIGNAL"
    assert found["answer"] == f"Signal. {says}."
    (account,) = found["accounts"]
    assert account["last_step"] == step.value
    assert found["signal"]["entry"] == signal["entry"]
    assert says.removeprefix("paper: ") in shown(found)


async def test_a_strategy_of_ones_own_is_explained_too(floor: Any, url: str, tmp_path: Path) -> None:
    configs, folder = write_strategy(tmp_path)
    file = load_file(configs, Strategy("ema_cross"), load_rules(folder))
    await floor.trade("BTC-USD", (OPENED - 8 * DAY, OPENED + DAY))
    await floor.close(OPENED + DAY)
    await floor.run(floor.scanner(file.config))
    at = OPENED + timedelta(hours=5)
    found = await why(url, at, "ema_cross", files=[file])
    assert found["recomputed"]["agrees"] is True
    assert {"spread", "spread_before", "atr"} <= {each["name"] for each in found["features"]}
    gate = failed(found)
    assert gate is not None
    assert (gate["name"], gate["observed"], gate["limit"]) == ("no_setup", None, None)
    assert found["answer"] == "No signal, no_setup: no_setup does not hold."
    assert np.isfinite([each["value"] for each in found["features"] if each["name"] == "spread"]).all()
    late = await why(url, None, "ema_cross", files=[file])
    assert late["at"] == (OPENED + DAY).isoformat()


async def test_a_strategy_without_a_scanner_says_so(fleet: Any, url: str, tmp_path: Path) -> None:
    configs, folder = write_strategy(tmp_path)
    file = load_file(configs, Strategy("ema_cross"), load_rules(folder))
    found = await why(url, None, "ema_cross", files=[file])
    assert found["broken"]["says"] == "ema_cross has no scanner, so it does not look at the market"
    assert "docs/write-a-strategy.md" in found["broken"]["do"]


async def test_an_unknown_symbol_is_one_sentence_and_before_any_bar_there_is_no_close(floor: Any, url: str) -> None:
    await floor.execute("INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')")
    with pytest.raises(InputError, match=r"^SYMBOL: 'BTC' is not in the database; is it BTC-USD\?$"):
        await why(url, None, symbol="BTC")
    found = await why(url, None)
    assert (found["at"], found["broken"]["where"]) == (None, "bars")
    assert found["answer"] == "No look: no 15m bar is complete yet; nothing was ever heard of data_collector."
    assert "no close yet" in shown(found)
    request = WhyRequest(symbol="BTC-USD", strategy=None, at=None, replay=False)
    assert [each["strategy"] for each in await read_why(url, request, FILES, SCANNED)] == ["channel", "dca", "swing"]
