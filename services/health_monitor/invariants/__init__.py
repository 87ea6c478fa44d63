"""One class a fact, a package a group."""

from services.health_monitor.invariants.base import Invariant, Observation, Verdict
from services.health_monitor.invariants.data_pipeline import DATA_PIPELINE
from services.health_monitor.invariants.edge_cases import EDGE_CASES
from services.health_monitor.invariants.error_recovery import ERROR_RECOVERY
from services.health_monitor.invariants.load import LOAD
from services.health_monitor.invariants.ml import ML
from services.health_monitor.invariants.risk import RISK
from services.health_monitor.invariants.strategies import STRATEGIES

GROUPS = (DATA_PIPELINE, STRATEGIES, ML, RISK, ERROR_RECOVERY, EDGE_CASES, LOAD)
ALL: tuple[type[Invariant], ...] = tuple(kind for group in GROUPS for kind in group.invariants)

__all__ = ["ALL", "GROUPS", "Invariant", "Observation", "Verdict"]
