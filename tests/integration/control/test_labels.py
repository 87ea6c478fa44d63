"""`tracker labels` in a real database: a day of decisions labelled, in one run, in many, and after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.runtime.accounts import load_accounts
from tracker.runtime.label_building import BuiltLabels
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.database import Database
from tracker.store.features import find_feature_set
from tracker.store.labels import read_label_configs, read_label_rows
from tracker.testing.clock import FixedClock

from services.control.labels import LabelsRequest, build_at, report_at
from services.control.settings import ControlSettings
from services.paper_trader.service import PaperTrader
from services.paper_trader.settings import PaperTraderSettings
from tests.integration.strategy_scanner.conftest import Floor, floor, minutes

__all__ = ["floor", "minutes"]

SYMBOLS = ("BTC-USD", "ETH-USD")
BEGIN = datetime(2022, 1, 18, 6, tzinfo=UTC)
END = datetime(2022, 1, 20, tzinfo=UTC)
LABELS = (
    "SELECT l.strategy, l.symbol_id, l.decided_at, l.exit_at, l.outcome, l.exit_reason, l.is_signal, l.strength,"
    " l.confirmations, l.entry, l.entry_price, l.exit_price, l.net_return, l.gross_return, l.mae, l.mfe,"
    " l.bars_to_exit, l.market_regime, l.volatility, l.config_hash, l.features::text AS features, l.weight"
    " FROM tracker.strategy_labels l ORDER BY strategy, decided_at, symbol_id"
)


@dataclass(slots=True)
class Bench:
    """Two symbols' days in a database, and the command at work on them."""

    floor: Floor
    url: str
    configs: Path

    @property
    def settings(self) -> ControlSettings:
        return load_settings(ControlSettings, {"database_url": self.url, "config_dir": self.configs})

    async def build(
        self, *, end: datetime | None = None, since_last: bool = False, **changes: Any
    ) -> list[BuiltLabels]:
        asked: dict[str, Any] = {"strategy": None, "first": None if since_last else BEGIN, "end": end}
        return await build_at(self.url, self.settings, LabelsRequest(**asked | changes, since_last=since_last))

    async def labels(self) -> list[dict[str, Any]]:
        return await self.floor.fetch(LABELS)

    async def forget(self) -> None:
        await self.floor.execute("TRUNCATE tracker.label_configs CASCADE")

    async def close(self, through: datetime) -> None:
        await self.floor.close(through, frames=(Timeframe.H1, Timeframe.M15, Timeframe.M1))


@pytest.fixture
async def bench(
    floor: Floor, database_url: str, open_database: Callable[[str | None], Awaitable[Database]], tmp_path: Path
) -> Bench:
    configs = tmp_path / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", configs)
    for symbol in SYMBOLS:
        await floor.trade(symbol, (floor.opened - timedelta(days=7), END))
    made = Bench(floor, database_url, configs)
    await made.close(END)
    return made


def alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """Hold all but the last digit of weights to be the same."""
    assert [{**each, "weight": None} for each in one] == [{**each, "weight": None} for each in other]
    assert [each["weight"] for each in one] == pytest.approx([each["weight"] for each in other], abs=1e-8)


async def test_building_twice_or_in_steps_makes_the_same(bench: Bench) -> None:
    built = await bench.build()
    whole = await bench.labels()
    assert {each["strategy"] for each in whole} == {"dca", "swing", "channel"}
    assert sum(each.setups for each in built) == len(whole) > 50
    assert {each["outcome"] for each in whole} >= {"win", "loss", "censored"}
    assert sum(each.changed for each in await bench.build()) == 0
    alike(await bench.labels(), whole)
    await bench.forget()
    for hours in (10, 20, 21, 30):
        end = BEGIN + timedelta(hours=hours)
        # At first from where the whole began, since nothing is known of before.
        await bench.build(end=end, since_last=True, first=BEGIN)
    await bench.build(since_last=True)
    alike(await bench.labels(), whole)
    assert sum(each.changed for each in await bench.build(since_last=True)) == 0


async def test_a_kill_between_symbols_loses_and_doubles_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.build()
    whole = await bench.labels()
    await bench.forget()
    # The second symbol's transaction is ended from outside, as a kill would end it.
    await bench.floor.execute(
        "CREATE FUNCTION public.kill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.symbol_id = 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER kill BEFORE INSERT ON tracker.label_cursors FOR EACH ROW EXECUTE FUNCTION public.kill();"
        "ALTER FUNCTION public.kill() SECURITY DEFINER"
    )
    with pytest.raises(Exception, match=r"connection|terminat"):
        await bench.build()
    killed = await bench.labels()
    assert {each["symbol_id"] for each in killed} == {bench.floor.ids["BTC-USD"]}
    await bench.floor.execute("DROP TRIGGER kill ON tracker.label_cursors")
    await bench.build(since_last=True, first=BEGIN)
    alike(await bench.labels(), whole)


async def test_features_are_those_that_the_decision_saw(bench: Bench, open_database: Any) -> None:
    built = await bench.build()
    assert sum(each.features_computed for each in built) == 0
    computed = await bench.labels()
    stored = await bench.floor.fetch(
        "SELECT count(*) AS rows FROM tracker.strategy_labels l JOIN tracker.ml_features f ON f.symbol_id = l.symbol_id"
        " AND f.timeframe = '15m' AND f.ts = l.decided_at - interval '15 minutes' AND f.feature_set = l.feature_set"
        " AND f.values = l.features"
    )
    assert stored[0]["rows"] == len(computed)
    # Where the calculator never was, they are computed, and come out the same.
    await bench.floor.execute("DELETE FROM tracker.ml_features WHERE ts >= '2022-01-18 18:00Z'")
    assert sum(each.changed for each in await bench.build()) == 0
    again = await bench.build()
    assert min(sum(each.features_computed for each in again), sum(each.features_stored for each in again)) > 0
    reader = await open_database("ml_retrainer")
    async with reader.transaction() as transaction:
        number = await find_feature_set(transaction, FEATURE_SET)
        assert number is not None
        config = (await read_label_configs(transaction, "swing"))[0]
        table = await read_label_rows(
            transaction, "swing", config.hash, BEGIN, END, feature_set=number, names=FEATURE_SET.names
        )
    mine = [each for each in computed if each["strategy"] == "swing" and each["outcome"] in ("win", "loss")]
    assert len(table) == len(mine) > 5
    assert table.X.shape == (len(mine), len(FEATURE_SET.names))
    assert table.y.tolist() == [int(each["outcome"] == "win") for each in mine]
    assert np.isfinite(table.X[:, table.names.index("rsi_14")]).all()
    assert table.net_return.tolist() == [each["net_return"] for each in mine]


async def test_what_the_paper_trader_booked_is_what_the_labels_say(bench: Bench, open_database: Any) -> None:
    """Its sizes follow its equity, a little beside the labels' notional: all but slippage's last digits is the same."""
    for strategy in ("dca", "swing", "channel"):
        await bench.floor.run(bench.floor.scanner(strategy))
    settings = load_settings(PaperTraderSettings, {"signal_grace_seconds": None})
    now = (await bench.floor.fetch("SELECT now() AS now"))[0]["now"]
    trader = PaperTrader(
        await open_database("paper_trader"), load_accounts(bench.configs), settings, FixedClock(now), get_logger("test")
    )
    while await trader.run_once():
        pass
    trades = await bench.floor.fetch("SELECT * FROM tracker.trade_logs WHERE account = 'paper'")
    assert len(trades) > 3
    await bench.build()
    labels = {(each["strategy"], each["symbol_id"], each["decided_at"]): each for each in await bench.labels()}
    for trade in trades:
        label = labels[trade["strategy"], trade["symbol_id"], trade["decided_at"]]
        assert label["is_signal"]
        assert (label["exit_at"], label["exit_reason"]) == (trade["exit_time"], trade["exit_reason"])
        for name in ("entry_price", "exit_price"):
            assert label[name] == pytest.approx(float(trade[name]), rel=1e-5)
        if trade["strategy"] != "dca":
            # Of one purchase, what was paid and what the whole would cost are the same but for the next open's step.
            paid = float(trade["entry_price"] * trade["quantity"])
            assert label["net_return"] == pytest.approx(float(trade["pnl"]) / paid, rel=0.01, abs=1e-5)
        assert label["outcome"] == ("win" if trade["pnl"] > 0 else "loss")


async def test_other_prices_later_change_nothing_but_outcomes(bench: Bench) -> None:
    cut = BEGIN + timedelta(hours=24)
    # So that all of them are computed, from bars that others follow.
    await bench.floor.execute("DELETE FROM tracker.ml_features")
    await bench.build(end=cut)
    before = await bench.labels()
    await bench.floor.execute(
        "UPDATE tracker.ohlc_data SET open = open * 1.2, high = high * 1.2, low = low * 1.2, close = close * 1.2"
        f" WHERE ts >= '{cut.isoformat()}'"
    )
    await bench.build(end=cut)
    after = await bench.labels()
    outcome = ("exit_at", "outcome", "exit_reason", "exit_price", "entry_price", "net_return", "gross_return", "mae",
               "mfe", "bars_to_exit", "weight")  # fmt: skip
    seen = [{name: value for name, value in each.items() if name not in outcome} for each in before]
    assert seen == [{name: value for name, value in each.items() if name not in outcome} for each in after]
    settled = [each["exit_at"] <= cut for each in before]
    assert any(settled)
    assert not all(settled)
    for is_settled, one, other in zip(settled, before, after, strict=True):
        if is_settled:
            assert {name: one[name] for name in outcome[:-1]} == {name: other[name] for name in outcome[:-1]}


async def test_a_setup_that_a_correction_takes_away_takes_its_label_along(bench: Bench) -> None:
    await bench.build(strategy=Strategy("dca"))
    before = len(await bench.labels())
    path = bench.configs / "models.toml"
    path.write_text(path.read_text().replace('setups = "all"', 'setups = "signals"'))
    await bench.build(strategy=Strategy("dca"))
    hashes = await bench.floor.fetch("SELECT config_hash, count(*) AS rows FROM tracker.strategy_labels GROUP BY 1")
    # Other rules, other labels: both are kept apart.
    assert sorted(each["rows"] for each in hashes)[-1] == before
    assert len(hashes) == 2
    await bench.floor.execute(
        "UPDATE tracker.ohlc_data SET open = 100, high = 100, low = 100, close = 100 WHERE timeframe = '15m'"
    )
    await bench.build(strategy=Strategy("dca"))
    signals = await bench.floor.fetch(
        "SELECT count(*) AS rows FROM tracker.strategy_labels l JOIN tracker.label_configs c USING (config_hash)"
        " WHERE c.rules ->> 'setups' = 'signals'"
    )
    assert signals[0]["rows"] == 0


async def test_the_report_adds_up(bench: Bench) -> None:
    with pytest.raises(InputError, match="no labels yet"):
        await report_at(bench.url, None)
    await bench.build()
    labels = await bench.labels()
    report = await report_at(bench.url, None)
    assert [each["strategy"] for each in report["strategies"]] == ["channel", "dca", "swing"]
    for each in report["strategies"]:
        mine = [row for row in labels if row["strategy"] == each["strategy"]]
        ended = [row for row in mine if row["net_return"] is not None]
        assert each["labels"] == len(mine) == each["wins"] + each["losses"] + each["censored"] + each["unfilled"]
        assert each["base_rate"] == round(sum(row["outcome"] == "win" for row in ended) / len(ended), 4)
        assert each["mean_net_return"] == pytest.approx(sum(row["net_return"] for row in ended) / len(ended), abs=1e-6)
        effective = each["effective_n"]
        assert effective["by_symbol"] == pytest.approx(sum(row["weight"] for row in ended), abs=0.06)
        # Both symbols have the same prices here, and so the same labels.
        assert effective["one_market"] < 0.75 * effective["by_symbol"]
        for name in ("by_regime", "by_month", "by_symbol"):
            assert sum(row["labels"] for row in each[name]) == len(mine)
    with pytest.raises(InputError, match="no labels of nobody yet"):
        await report_at(bench.url, Strategy("nobody"))
