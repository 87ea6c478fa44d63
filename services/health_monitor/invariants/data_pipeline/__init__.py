"""Bars come, of every symbol, and stay whole."""

from tracker.store.database import Transaction
from tracker.store.health.data_pipeline import (
    AggregateFacts,
    BarFacts,
    CollectorFacts,
    ExplainedFacts,
    FrameFacts,
    IntakeFacts,
    MonthFacts,
    StoredFacts,
    SymbolFacts,
    read_aggregate_facts,
    read_bar_facts,
    read_collector_facts,
    read_explained,
    read_frame_facts,
    read_intake_facts,
    read_month_facts,
    read_stored_facts,
    read_symbol_facts,
)

from services.health_monitor.invariants.base import Group, Source, source
from services.health_monitor.invariants.data_pipeline.bars import BarsFresh, SymbolsLive
from services.health_monitor.invariants.data_pipeline.collector import (
    BackfillSucceeds,
    BarsAccepted,
    BufferBounded,
    FeedConnected,
    FeedSteady,
)
from services.health_monitor.invariants.data_pipeline.gaps import GapsHeal, MinutesExplained
from services.health_monitor.invariants.data_pipeline.months import AggregatesYoung, MonthsAhead, MonthsInOrder
from services.health_monitor.invariants.data_pipeline.stored import BarsPlausible, LatestAgrees, RollUpsAgree
from services.health_monitor.invariants.data_pipeline.symbols import RollUpsFollow, SymbolsSpeak
from services.health_monitor.settings import MonitorSettings

SLOW = "slow_every_seconds"


async def _read_stored(transaction: Transaction, settings: MonitorSettings) -> StoredFacts:
    return await read_stored_facts(transaction, settings.jump_limit)


DATA_PIPELINE = Group(
    name="data pipeline",
    invariants=(
        BarsFresh, SymbolsLive, SymbolsSpeak, RollUpsFollow, FeedConnected, FeedSteady, BufferBounded, BarsAccepted,
        GapsHeal, MinutesExplained, BackfillSucceeds, LatestAgrees, RollUpsAgree, BarsPlausible, MonthsAhead,
        MonthsInOrder, AggregatesYoung,
    ),
    sources=(
        source(BarFacts, read_bar_facts),
        source(FrameFacts, read_frame_facts),
        source(CollectorFacts, read_collector_facts),
        source(ExplainedFacts, read_explained, SLOW),
        source(SymbolFacts, read_symbol_facts, SLOW),
        source(IntakeFacts, read_intake_facts, SLOW),
        source(AggregateFacts, read_aggregate_facts, SLOW),
        Source(kind=StoredFacts, read=_read_stored, seconds=SLOW),
        source(MonthFacts, read_month_facts, SLOW),
    ),
)  # fmt: skip
