"""The collector is connected, keeps up, and stays within its buffer."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.data_pipeline import CollectorFacts, IntakeFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0
NOBODY = "no collector that lives has the connection"


class FeedConnected(Invariant):
    """One collector has the connection to the vendor, and does not fail to keep it up time after time."""

    name = "feed connected"
    group = "data pipeline"
    severity = "critical"
    unit = "failures"
    settings = ("stream_failures_limit",)
    advice = "data_collector's log says what the vendor answers: a refused key, a connection too many, or nothing"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(CollectorFacts), seen.settings.stream_failures_limit
        failures, trouble = int(facts.detail.get("stream_failures", 0)), facts.detail.get("trouble")
        words = f"{failures} failures in a row" + (f": {trouble}" if trouble else "")
        yield Verdict(
            observed=NOBODY if facts.holder is None else words,
            limit=f"{limit} failures in a row",
            ok=facts.holder is not None and failures <= limit,
            value=None if facts.holder is None else failures,
        )


class FeedSteady(Invariant):
    """The connection to the vendor is not made anew time and again."""

    name = "feed steady"
    group = "data pipeline"
    severity = "warning"
    unit = "connections/h"
    settings = ("reconnects_limit",)
    advice = "network, vendor, or another client with the same key ends connections: data_collector's log has why"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(CollectorFacts), seen.settings.reconnects_limit
        if facts.holder is None:
            yield Verdict(observed=NOBODY, limit=f"{limit:g} an hour", ok=False)
            return
        hours = (facts.age(facts.holder.started_at) or 0.0) / HOUR_SECONDS
        # The first connection is none that was lost, and in the first hour an average says nothing yet.
        again = max(int(facts.detail.get("connections", 0)) - 1, 0)
        rate = again / max(hours, 1.0)
        yield Verdict(
            observed=f"{again} times anew in {hours:.1f} h", limit=f"{limit:g} an hour", ok=rate <= limit, value=rate
        )


class BufferBounded(Invariant):
    """What was received is stored soon, and no bar is dropped for want of room."""

    name = "buffer"
    group = "data pipeline"
    severity = "critical"
    unit = "bars"
    settings = ("buffer_limit",)
    advice = (
        "the database is slower than the market: look at its load and at data_collector's log; what was dropped is"
        " fetched again, `tracker gaps` shows it"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, dropped, limit = seen.of(CollectorFacts), seen.of(IntakeFacts), seen.settings.buffer_limit
        waiting = int(facts.detail.get("waiting", 0))
        lost = dropped.overflowed_symbols
        words = f"{waiting} bars wait" + (f", bars of {lost} symbols were dropped within the hour" if lost else "")
        yield Verdict(
            observed=words, limit=f"{limit} bars, none dropped", ok=waiting <= limit and not lost, value=waiting
        )


class BarsAccepted(Invariant):
    """Few of the bars that come are refused as impossible."""

    name = "rejected bars"
    group = "data pipeline"
    severity = "warning"
    unit = "bars/h"
    settings = ("rejected_limit",)
    advice = "rejected_bars has each with its reason and the vendor's own words: its format or clock may have changed"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(IntakeFacts), seen.settings.rejected_limit
        words = f"{facts.rejected} within the hour" + (f", most: {facts.rejected_reason}" if facts.rejected else "")
        yield Verdict(observed=words, limit=f"{limit} an hour", ok=facts.rejected <= limit, value=facts.rejected)


class BackfillSucceeds(Invariant):
    """No span of history was given up."""

    name = "backfill"
    group = "data pipeline"
    severity = "warning"
    unit = "spans"
    settings = ("failed_chunks_limit",)
    advice = "`tracker backfill` tries them again; without history, features and strategies warm up for days"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(IntakeFacts), seen.settings.failed_chunks_limit
        last = f", the last: {facts.failed_reason}" if facts.failed_chunks else ""
        yield Verdict(
            observed=f"{facts.failed_chunks} spans failed{last}",
            limit=f"{limit} spans",
            ok=facts.failed_chunks <= limit,
            value=facts.failed_chunks,
        )
