"""Models are young and do what was promised, and the work on them is done."""

from tracker.store.health.ml import ModelFacts, read_model_facts

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.ml.demotions import ModelDemoted
from services.health_monitor.invariants.ml.jobs import JobsSucceed, TrainingFresh
from services.health_monitor.invariants.ml.models import ModelAge, ModelCalibration, ModelDrift

ML = Group(
    name="ml",
    invariants=(ModelAge, ModelCalibration, ModelDrift, ModelDemoted, TrainingFresh, JobsSucceed),
    sources=(source(ModelFacts, read_model_facts),),
)
