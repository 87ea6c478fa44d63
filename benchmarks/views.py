"""How long the views of schema dashboards take over long histories, as a page or a panel asks them.

Fills a database of its own as tests do (90 symbols, four days of everything), puts months of minutes, a year of equity
and a month of scores behind it, and asks each question seven times with the rights of the page. Prints a table.
`--symbols` and `--months` scale it down.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from timing import measured
from tracker.domain.clock import SystemClock
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.filled_database import fill_database

BARS = """
INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, source)
SELECT s, '1m', t, 100, 101, 99, 100, 5, 'import'
FROM generate_series(date_trunc('day', now()) - $2::integer * interval '30 days',
                     date_trunc('day', now()) - interval '5 days', interval '1 minute') t,
  generate_series(1, $1::integer) s
ON CONFLICT DO NOTHING
"""
REST = """
INSERT INTO tracker.equity_curve
SELECT a.account, t, 10000 + g.gain, 0, 10000 + g.gain, 0, 0, 0, 0
FROM tracker.accounts a, generate_series(date_trunc('minute', now()) - interval '365 days',
                                         date_trunc('day', now()) - interval '5 days', interval '1 minute') t,
  LATERAL (SELECT extract(epoch FROM t)::bigint % 977 AS gain) g;
INSERT INTO tracker.scan_history
  (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime, signal_strength, config_hash)
SELECT t, w.strategy, '15m', s.symbol_id, 'SKIP', 'no_setup', 'range', 0.5, 'x'
FROM generate_series(date_trunc('day', now()) - interval '40 days', date_trunc('day', now()) - interval '5 days',
                     interval '15 minutes') t, tracker.symbols s, tracker.scan_watermarks w
ON CONFLICT DO NOTHING;
INSERT INTO tracker.predictions
  (decided_at, model_id, margin, probability, threshold, symbol_id, is_champion, is_signal, taken, strategy,
   config_hash)
SELECT t, m.model_id, 0.1, 0.3 + random() * 0.4, 0.55, s, m.status = 'champion', true, false, m.strategy,
  c.strategy_hash
FROM generate_series(date_trunc('day', now()) - interval '29 days', date_trunc('day', now()) - interval '5 days',
                     interval '15 minutes') t, generate_series(1, 10) s,
  tracker.models m JOIN tracker.label_configs c USING (strategy)
WHERE m.status <> 'retired' ON CONFLICT DO NOTHING;
INSERT INTO tracker.strategy_labels
  (strategy, config_hash, decided_at, exit_at, symbol_id, feature_set, entry, entry_price, exit_price, gross_return,
   net_return, mae, mfe, weight, strength, bars_to_exit, confirmations, is_signal, side, outcome, exit_reason,
   market_regime, volatility, features)
SELECT p.strategy, c.config_hash, p.decided_at, p.decided_at + interval '3 hours', p.symbol_id, f.feature_set, 100, 100,
  101, 0.01, 0.008, -0.01, 0.02, 0.7, 0.7, 12, 3, true, 'long',
  CASE WHEN random() < probability THEN 'win' ELSE 'loss' END, 'target', 'range', 'mid',
  array_fill(0.5::real, ARRAY[cardinality(f.names)])
FROM tracker.predictions p JOIN tracker.label_configs c USING (strategy), tracker.feature_sets f
WHERE p.is_champion ON CONFLICT DO NOTHING;
"""
# What stands for it below: the newest close.
NOW = "(SELECT closed_through FROM dashboards.market_mode)"
QUESTIONS: Mapping[str, str] = {
    "candles, 300 bars of 15m": "SELECT * FROM dashboards.candles WHERE symbol = 'ETH-USD' AND timeframe = '15m'"
    " AND ts >= now_ - interval '75 hours'",
    "candles, a day of 1m five weeks ago": "SELECT * FROM dashboards.candles WHERE symbol = 'ETH-USD'"
    " AND timeframe = '1m' AND ts >= now_ - interval '35 days' AND ts < now_ - interval '34 days'",
    "market_heat": "SELECT * FROM dashboards.market_heat",
    "symbols": "SELECT * FROM dashboards.symbols",
    "indicators, one feature": "SELECT ts, value FROM dashboards.indicators"
    " WHERE symbol = 'ETH-USD' AND timeframe = '15m' AND feature = 'rsi_14'",
    "fleet": "SELECT * FROM dashboards.fleet",
    "stage_latency": "SELECT * FROM dashboards.stage_latency",
    "accounts": "SELECT * FROM dashboards.accounts",
    "equity, 7 days of minutes": "SELECT ts, equity, drawdown FROM dashboards.equity WHERE account = 'paper'",
    "equity_hourly, a month": "SELECT hour, close, drawdown FROM dashboards.equity_hourly"
    " WHERE account = 'paper' AND hour > now_ - interval '30 days'",
    "equity_daily, a year": "SELECT * FROM dashboards.equity_daily WHERE account = 'paper'",
    "positions": "SELECT * FROM dashboards.positions",
    "trades, the newest 100": "SELECT * FROM dashboards.trades ORDER BY exit_time DESC LIMIT 100",
    "orders, the newest 100": "SELECT * FROM dashboards.orders ORDER BY placed_at DESC LIMIT 100",
    "strategy_performance": "SELECT * FROM dashboards.strategy_performance",
    "funnel_today": "SELECT * FROM dashboards.funnel_today",
    "reasons_today": "SELECT * FROM dashboards.reasons_today",
    "why, a symbol and a day": "SELECT * FROM dashboards.why WHERE symbol = 'ETH-USD' AND strategy = 'swing'"
    " AND decided_at > now_ - interval '1 day'",
    "skip_reasons, 7 days": "SELECT * FROM dashboards.skip_reasons",
    "funnel, 7 days": "SELECT * FROM dashboards.funnel",
    "model_calibration": "SELECT * FROM dashboards.model_calibration",
    "feature_drift": "SELECT * FROM dashboards.feature_drift",
    "shadow_leaderboard, a window": "SELECT * FROM dashboards.shadow_leaderboard WHERE span = '7d'",
    "coverage, 30 days": "SELECT * FROM dashboards.coverage WHERE day > now_ - interval '30 days'",
    "table_sizes": "SELECT * FROM dashboards.table_sizes",
}


async def fill(url: str, symbols: int, months: int) -> None:
    """Fill the database and put the long histories behind it."""
    await fill_database(url, now=SystemClock().now(), symbols=symbols, days=4)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        "SELECT tracker.ensure_bar_partitions(now() - $1::integer * interval '30 days', now())", months
    )
    await connection.execute(BARS, symbols, months)
    await connection.execute(REST)
    for row in await connection.fetch("SELECT matviewname FROM pg_matviews WHERE schemaname = 'tracker'"):
        await connection.execute(f"REFRESH MATERIALIZED VIEW tracker.{row['matviewname']}")
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def ask(url: str) -> None:
    """Ask every question and print how long that took, rows fetched included."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    sizes = await connection.fetch("SELECT name, rows_estimate FROM dashboards.table_sizes ORDER BY bytes DESC LIMIT 5")
    sys.stdout.write("".join(f"{row['name']}: {row['rows_estimate']:,} rows\n" for row in sizes))
    await connection.execute("SET ROLE tracker_dashboard")
    for name, question in QUESTIONS.items():
        sql = question.replace("now_", NOW)
        rows = len(await connection.fetch(sql))

        async def once(_: int, sql: str = sql) -> object:
            return await connection.fetch(sql)

        times = await measured(once, n=7, warm=0)
        sys.stdout.write(f"{name:38} {rows:6} rows {times.p50:8.1f} ms\n")
    await connection.close()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=90)
    parser.add_argument("--months", type=int, default=2)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server,
    ):
        migrate(server.url)
        asyncio.run(fill(server.url, options.symbols, options.months))
        asyncio.run(ask(server.url))


if __name__ == "__main__":
    main()
