"""Bars come, of every symbol, and stay whole."""

from tracker.store.health.data_pipeline import BarFacts, ExplainedFacts, read_bar_facts, read_explained

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.data_pipeline.bars import BarsFresh, SymbolsLive
from services.health_monitor.invariants.data_pipeline.gaps import GapsHeal, MinutesExplained

DATA_PIPELINE = Group(
    name="data pipeline",
    invariants=(BarsFresh, SymbolsLive, GapsHeal, MinutesExplained),
    sources=(source(BarFacts, read_bar_facts), source(ExplainedFacts, read_explained)),
)
