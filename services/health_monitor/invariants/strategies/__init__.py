"""What is closed is computed, looked at, tried, and decided the same way again."""

from tracker.store.health.strategies import ParityFacts, StageFacts, read_parity_facts, read_stage_facts

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.strategies.parity import ParityHolds
from services.health_monitor.invariants.strategies.shadow import ShadowFollows
from services.health_monitor.invariants.strategies.stages import StagesFollow

STRATEGIES = Group(
    name="strategies",
    invariants=(StagesFollow, ShadowFollows, ParityHolds),
    sources=(source(StageFacts, read_stage_facts), source(ParityFacts, read_parity_facts)),
)
