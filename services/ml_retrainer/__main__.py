"""Run the retrainer of models."""

from tracker.runtime.service import main

from services.ml_retrainer.service import build
from services.ml_retrainer.settings import RetrainerSettings

if __name__ == "__main__":
    main("ml_retrainer", RetrainerSettings, build, role="tracker_ml_retrainer")
