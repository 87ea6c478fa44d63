"""Bars and prices that cannot be."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.edge_cases import NewestBarFacts, PriceFacts, StoredBarFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class NoFutureBars(Invariant):
    """No bar closes later than now."""

    name = "bars of the future"
    group = "edge cases"
    severity = "critical"
    advice = "the feed's clock or a fast market simulator is ahead: decisions on such bars are look-ahead"
    unit = "seconds"
    settings = ("future_bar_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(NewestBarFacts), seen.settings.future_bar_limit_seconds
        yield Verdict(
            observed=f"{facts.in_future} close in up to {facts.ahead_seconds:.0f} s: {facts.first_in_future}"
            if facts.in_future else "none",
            limit=f"{limit:.0f} s ahead", ok=facts.in_future == 0, value=max(facts.ahead_seconds, 0.0),
        )  # fmt: skip


class BarsAligned(Invariant):
    """Every bar opens where a bucket of its timeframe begins, in UTC."""

    name = "bars aligned"
    group = "edge cases"
    severity = "critical"
    advice = "a feed or an import stamps in another zone or at the close: such bars are never rolled up, backfill anew"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict over the newest bars and those stored in the last hour."""
        newest, stored = seen.of(NewestBarFacts), seen.of(StoredBarFacts)
        count = newest.askew + stored.askew
        yield Verdict(
            observed=f"{count} bars, first {newest.first_askew or stored.first_askew}" if count
            else "all of the last hour",
            limit="0 between two buckets", ok=count == 0, value=float(count),
        )  # fmt: skip


class BarPricesSane(Invariant):
    """The newest bars hold prices: above 0, finite, high over low."""

    name = "bar prices"
    group = "edge cases"
    severity = "critical"
    advice = "scanners and the trader read latest_bar: `tracker backfill` writes the true bars again"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(NewestBarFacts)
        yield Verdict(
            observed=f"{facts.insane} of the newest bars hold none, first {facts.first_insane}" if facts.insane
            else "all hold",
            limit="0 that are none", ok=facts.insane == 0, value=float(facts.insane),
        )  # fmt: skip


class BookPricesSane(Invariant):
    """No signal, trade, account or point of equity holds a number that is none, and no price is 0 or less."""

    name = "prices in the books"
    group = "edge cases"
    severity = "critical"
    advice = "nothing of ours writes such: find the row with `tracker psql`, who wrote it, and mend it from the fills"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(PriceFacts)
        counts = {
            "signals": facts.signals, "trades": facts.positions, "accounts": facts.accounts,
            "equity points": facts.equity,
        }  # fmt: skip
        bad = {name: count for name, count in counts.items() if count}
        yield Verdict(
            observed=", ".join(f"{name}: {count}" for name, count in bad.items()) or "all are numbers", limit="0",
            ok=not bad, value=float(sum(bad.values())),
        )  # fmt: skip


class FeedMoves(Invariant):
    """The feed is not frozen: few symbols stand on one price, or without volume, for many bars."""

    name = "feed moves"
    group = "edge cases"
    severity = "warning"
    advice = "the vendor repeats old bars, or trading is suspended: compare with its page, `tracker backfill` when back"
    unit = "share of active symbols"
    settings = ("frozen_bars", "frozen_share_limit")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(StoredBarFacts), seen.settings.frozen_share_limit
        share = facts.frozen / facts.watched if facts.watched else 0.0
        yield Verdict(
            observed=f"{facts.frozen} of {facts.watched} symbols stand still"
            + (f", first {facts.first_frozen}" if facts.frozen else ""),
            limit=f"{limit:.0%} for {seen.settings.frozen_bars} bars", ok=share <= limit, value=share,
        )  # fmt: skip


class CorrectionsFew(Invariant):
    """Few bars are corrected after they were stored."""

    name = "corrections"
    group = "edge cases"
    severity = "warning"
    advice = "decisions were taken on other bars, which bar_revisions has: the vendor's stream and REST differ"
    unit = "bars an hour"
    settings = ("correction_share_limit",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(StoredBarFacts)
        limit = max(1, round(facts.active_symbols * 60 * seen.settings.correction_share_limit))
        yield Verdict(
            observed=f"{facts.corrected} in the last hour", limit=f"{limit} an hour", ok=facts.corrected <= limit,
            value=float(facts.corrected),
        )  # fmt: skip
