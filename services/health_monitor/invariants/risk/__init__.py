"""The paper trader follows, within its limits, and its books are right."""

from tracker.store.health.risk import TraderFacts, read_trader_facts

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.risk.ledger import LedgersBalance
from services.health_monitor.invariants.risk.trader import PaperFollows

# BookFacts come from books.py, which checks one account at a time.
RISK = Group(
    name="risk",
    invariants=(PaperFollows, LedgersBalance),
    sources=(source(TraderFacts, read_trader_facts),),
)
