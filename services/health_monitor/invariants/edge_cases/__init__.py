"""What is rare and goes wrong without a sound."""

from datetime import timedelta

from tracker.store.health import edge_cases as facts

from services.health_monitor.invariants.base import Group, Source, remembering, source
from services.health_monitor.invariants.edge_cases.bars import (
    BarPricesSane,
    BarsAligned,
    BookPricesSane,
    CorrectionsFew,
    FeedMoves,
    NoFutureBars,
)
from services.health_monitor.invariants.edge_cases.clocks import ClocksAgree, DatabaseUtc
from services.health_monitor.invariants.edge_cases.database import (
    IndexesUsable,
    PrivilegesHold,
    RowsSecured,
    SchemaCurrent,
)
from services.health_monitor.invariants.edge_cases.universe import SignalsTradedOnce, SymbolsSteady, UniverseFilled

# Of corrections, no more are counted.
MOST_COUNTED = 5_000

EDGE_CASES = Group(
    name="edge cases",
    invariants=(
        ClocksAgree, DatabaseUtc, NoFutureBars, BarsAligned, BarPricesSane, BookPricesSane, FeedMoves, CorrectionsFew,
        UniverseFilled, SymbolsSteady, SignalsTradedOnce, SchemaCurrent, PrivilegesHold, RowsSecured, IndexesUsable,
    ),
    sources=(
        source(facts.ClockFacts, facts.read_clocks),
        Source(
            kind=facts.NewestBarFacts,
            read=lambda transaction, settings: facts.read_newest_bars(
                transaction, timedelta(seconds=settings.future_bar_limit_seconds)
            ),
        ),
        remembering(facts.UniverseFacts, facts.read_universe, facts.follow_universe),
        source(facts.PriceFacts, facts.read_prices, "slow_every_seconds"),
        source(facts.ContradictionFacts, facts.read_contradictions, "slow_every_seconds"),
        Source(
            kind=facts.StoredBarFacts,
            read=lambda transaction, settings: facts.read_stored_bars(transaction, settings.frozen_bars, MOST_COUNTED),
            seconds="slow_every_seconds",
        ),
        source(facts.SchemaFacts, facts.read_schema, "rare_every_seconds"),
    ),
)
