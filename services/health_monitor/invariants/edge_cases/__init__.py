"""What is rare and goes wrong without a sound."""

from services.health_monitor.invariants.base import Group

EDGE_CASES = Group(name="edge cases", invariants=(), sources=())
