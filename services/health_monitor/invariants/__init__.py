"""One class a fact."""

from services.health_monitor.invariants.bars import BarsFresh, SymbolsLive
from services.health_monitor.invariants.base import Invariant, Observation, Verdict
from services.health_monitor.invariants.gaps import GapsHeal, MinutesExplained
from services.health_monitor.invariants.heartbeats import HeartbeatFresh
from services.health_monitor.invariants.jobs import JobsSucceed, TrainingFresh
from services.health_monitor.invariants.ledger import LedgersBalance
from services.health_monitor.invariants.models import ModelAge, ModelCalibration, ModelDrift
from services.health_monitor.invariants.parity import ParityHolds
from services.health_monitor.invariants.shadow import ShadowFollows
from services.health_monitor.invariants.stages import PaperFollows, StagesFollow

ALL: tuple[type[Invariant], ...] = (
    HeartbeatFresh, BarsFresh, SymbolsLive, GapsHeal, MinutesExplained, StagesFollow, PaperFollows, LedgersBalance,
    ShadowFollows, ParityHolds, ModelAge, ModelCalibration, ModelDrift, TrainingFresh, JobsSucceed,
)

__all__ = [
    "ALL",
    "BarsFresh",
    "GapsHeal",
    "HeartbeatFresh",
    "Invariant",
    "JobsSucceed",
    "LedgersBalance",
    "MinutesExplained",
    "ModelAge",
    "ModelCalibration",
    "ModelDrift",
    "Observation",
    "PaperFollows",
    "ParityHolds",
    "ShadowFollows",
    "StagesFollow",
    "SymbolsLive",
    "TrainingFresh",
    "Verdict",
]
