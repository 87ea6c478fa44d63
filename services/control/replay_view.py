"""A replay's report as a table."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from services.control.replay_report import ReplayReport


def replay_view(report: ReplayReport) -> Group:
    """Return what `tracker replay` prints without --json."""
    bars = Table("symbol", *_timeframes(report), title="bars stored")
    for symbol, counts in sorted(report.bars.items()):
        bars.add_row(symbol, *(f"{counts.get(timeframe, 0):,}" for timeframe in _timeframes(report)))
    scans = Table("strategy", "scans", "signals", title="scans")
    for strategy, count in sorted(report.scans.items()):
        scans.add_row(strategy, f"{count:,}", f"{report.signals.get(strategy, 0):,}")
    paper = Table("", "", title="paper account", show_header=False)
    for name in ("orders", "refused", "fills", "trades", "open_positions"):
        paper.add_row(name.replace("_", " "), f"{getattr(report, name):,}")
    for name in ("starting_cash", "realised_pnl", "unrealised_pnl", "fees"):
        paper.add_row(name.replace("_", " "), f"{getattr(report, name):,.2f}")
    for account, figures in sorted(report.accounts.items()):
        paper.add_row(f"equity of {account}", f"{figures['final_equity']:,.2f} after {figures['trades']:,} trades")
    paper.add_row("ledger", "balances" if report.ledger_ok else f"off by {report.ledger_difference}")
    paper.add_row("rejected bars", f"{report.rejected:,}")
    paper.add_row("seconds", f"{report.seconds:.1f}")
    return Group(bars, scans, paper)


def _timeframes(report: ReplayReport) -> list[str]:
    order = ("1m", "5m", "15m", "1h", "1d")
    return [name for name in order if any(name in counts for counts in report.bars.values())]
