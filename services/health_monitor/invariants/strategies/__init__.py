"""What is closed is computed, looked at, tried, and decided the same way again."""

from tracker.store.health.strategies import (
    FeatureFacts,
    FunnelFacts,
    LookFacts,
    ParityFacts,
    StageFacts,
    read_feature_facts,
    read_funnel_facts,
    read_look_facts,
    read_parity_facts,
    read_stage_facts,
)

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.strategies.features import FeaturesComputed, FeaturesWarm
from services.health_monitor.invariants.strategies.funnel import SignalsAnswered, SignalsCome, TradesCome
from services.health_monitor.invariants.strategies.looks import (
    ClosesLookedAt,
    ConfigsKnown,
    ReasonsSound,
    ScannersAwaited,
    SymbolsLookedAt,
)
from services.health_monitor.invariants.strategies.parity import ParityHolds
from services.health_monitor.invariants.strategies.shadow import ShadowFollows
from services.health_monitor.invariants.strategies.stages import StagesFollow

SLOW = "slow_every_seconds"

STRATEGIES = Group(
    name="strategies",
    invariants=(
        StagesFollow, FeaturesComputed, FeaturesWarm, SymbolsLookedAt, ClosesLookedAt, ReasonsSound, SignalsCome,
        SignalsAnswered, TradesCome, ScannersAwaited, ConfigsKnown, ShadowFollows, ParityHolds,
    ),
    sources=(
        source(StageFacts, read_stage_facts),
        source(FeatureFacts, read_feature_facts, SLOW),
        source(LookFacts, read_look_facts, SLOW),
        source(FunnelFacts, read_funnel_facts, SLOW),
        source(ParityFacts, read_parity_facts, SLOW),
    ),
)  # fmt: skip
