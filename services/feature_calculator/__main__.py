"""Run the feature calculator."""

from tracker.runtime.service import main

from services.feature_calculator.service import FeatureCalculator
from services.feature_calculator.settings import FeatureSettings

if __name__ == "__main__":
    main(
        "feature_calculator",
        FeatureSettings,
        lambda settings, database, clock, log: FeatureCalculator(database, settings, log),
        role="tracker_feature_calculator",
    )
