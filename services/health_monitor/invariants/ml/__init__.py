"""Models are young and do what was promised, and the work on them is done."""

from datetime import timedelta

from tracker.store.health import scoring
from tracker.store.health.ml import ModelFacts, read_model_facts

from services.health_monitor.invariants.base import Group, Source, source
from services.health_monitor.invariants.ml.artifacts import ArtifactsIntact
from services.health_monitor.invariants.ml.decisions import (
    ChampionDecides,
    ConfidenceVaries,
    FeaturesMatch,
    LabelsFollow,
    SignalsScored,
)
from services.health_monitor.invariants.ml.demotions import ModelDemoted
from services.health_monitor.invariants.ml.jobs import JobsSucceed, TrainingFresh
from services.health_monitor.invariants.ml.models import (
    ModelAge,
    ModelBrier,
    ModelCalibration,
    ModelDrift,
    ModelReturn,
    ModelWatched,
)

ML = Group(
    name="ml",
    invariants=(
        ModelAge, ModelCalibration, ModelBrier, ModelReturn, ModelDrift, ModelWatched, ModelDemoted, TrainingFresh,
        JobsSucceed, ChampionDecides, FeaturesMatch, SignalsScored, ConfidenceVaries, LabelsFollow, ArtifactsIntact,
    ),
    sources=(
        source(ModelFacts, read_model_facts),
        source(scoring.DecidingFacts, scoring.read_deciding),
        Source(
            kind=scoring.ScoreFacts,
            read=lambda transaction, settings: scoring.read_scores(
                transaction,
                timedelta(hours=settings.decision_window_hours),
                timedelta(seconds=settings.model_settle_seconds),
            ),
            seconds="slow_every_seconds",
        ),
        source(scoring.ArtifactFacts, scoring.read_artifacts, "rare_every_seconds"),
    ),
)
