"""Each trade that is held can be left, and is where it should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracker.store.health.trading import AccountFacts, LiveTrade

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


def _verdict(offenders: Sequence[LiveTrade], looked_at: int, what: str) -> Verdict:
    names = ", ".join(each.name for each in offenders[:3])
    return Verdict(
        observed=f"{len(offenders)} {what}: {names}" if offenders else f"none of {looked_at} trades",
        limit="0", ok=not offenders, value=float(len(offenders)),
    )  # fmt: skip


class StopsSet(Invariant):
    """Each trade that is held has a stop, and none has moved away from the price."""

    name = "stops set"
    group = "risk"
    severity = "critical"
    advice = "`tracker order replace` sets one, `tracker flatten` sells; rows may have been changed by hand"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        held = [each for each in seen.of(AccountFacts).trades if each.status == "open"]
        bare = [each for each in held if each.stop_price <= 0 or each.stop_price < each.initial_stop_price]
        yield _verdict(bare, len(held), "without a stop, or with one lowered")


class StopsAct(Invariant):
    """No trade is held on under its stop for bars."""

    name = "stops act"
    group = "risk"
    severity = "critical"
    advice = "the trader walked past a stop: `tracker flatten` sells, `tracker verify parity` says since when"
    settings = ("stop_bars",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        bars = seen.settings.stop_bars
        held = [each for each in seen.of(AccountFacts).trades if each.status == "open"]
        passed = [each for each in held if each.leaving is None and self._is_under(each, bars)]
        yield _verdict(passed, len(held), f"under the stop for {bars} bars")

    def _is_under(self, trade: LiveTrade, bars: int) -> bool:
        seen, best = trade.bars or 0, trade.highest_close
        return seen >= bars and best is not None and best < trade.stop_price


class SymbolsTradable(Invariant):
    """Every trade is in a symbol whose bars are collected."""

    name = "positions on active symbols"
    group = "risk"
    severity = "warning"
    advice = "without bars no stop can act: have the symbol collected again, or sell it with `tracker flatten`"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        trades = seen.of(AccountFacts).trades
        stranded = [each for each in trades if each.symbol_status != "active"]
        yield _verdict(stranded, len(trades), "in a symbol that is not active")
