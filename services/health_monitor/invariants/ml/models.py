"""Champions are young, calibrated, and score what they were trained on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from tracker.store.health.ml import ModelFacts
from tracker.store.model_states import ModelState

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3_600.0


class ModelInvariant(Invariant):
    """Something of each strategy's champion; where there is none it is said, and nothing is wrong."""

    group = "ml"
    severity = "warning"
    advice = "`tracker models watch` has every criterion and demotes with --act, `tracker train` makes a candidate"
    about: ClassVar[str]

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that scans."""
        for state in seen.of(ModelFacts).models:
            observed, limit, ok = "no champion: the rule decides", "none", True
            if state.model_id is not None:
                observed, limit, ok = self.look(state, seen)
            yield Verdict(subject=state.strategy, observed=observed, limit=limit, ok=ok)

    @abstractmethod
    def look(self, state: ModelState, seen: Observation) -> tuple[str, str, bool]:
        """Return what is observed of a champion, the limit, and whether that holds."""


class ModelAge(ModelInvariant):
    """What a champion was made of is not long ago, in event time."""

    name = "model age"
    settings = ("model_age_limit_days",)
    about = "age"

    def look(self, state: ModelState, seen: Observation) -> tuple[str, str, bool]:
        """Compare the end of its data with the last close that was scanned."""
        limit = seen.settings.model_age_limit_days
        assert state.known_from is not None  # noqa: S101 - of every model
        days = (state.closed_through - state.known_from).total_seconds() / DAY_SECONDS
        return f"model {state.model_id} is {max(days, 0.0):.1f} days old", f"{limit:.0f} days", days <= limit


class _Watched(ModelInvariant):
    def look(self, state: ModelState, seen: Observation) -> tuple[str, str, bool]:
        """Return what the last look at the champion said of it."""
        if state.watched_at is None:
            return f"model {state.model_id} was not looked at yet", "as models.toml says", True
        mine = [each for each in state.criteria if str(each["name"]).startswith(self.about)]
        broken = [each for each in mine if not each["ok"]]
        told = broken or mine
        says = "; ".join(f"{each['name']} is {each['number']:.4g}" for each in told if each["number"] is not None)
        limits = "; ".join(f"{each['comparison']} {each['limit']:.4g}" for each in told)
        return f"model {state.model_id}: {says or 'too little is known yet'}", limits, not broken


class ModelCalibration(_Watched):
    """A champion's probabilities are what happens."""

    name = "model calibration"
    about = "calibration"


class ModelBrier(_Watched):
    """A champion's probabilities are worth more than the base rate."""

    name = "model Brier score"
    about = "Brier"


class ModelReturn(_Watched):
    """The trades that a champion lets through return what it was promoted for, after fees."""

    name = "model return"
    about = "mean net return"


class ModelDrift(_Watched):
    """Features are distributed as they were when a champion was trained."""

    name = "model drift"
    about = "drift"


class ModelWatched(ModelInvariant):
    """A champion was held against what it promised lately."""

    name = "model watched"
    settings = ("watch_limit_hours",)
    advice = "`tracker retrain status` says why watch jobs do not end; `tracker models watch` looks by hand"
    about = "watched"

    def look(self, state: ModelState, seen: Observation) -> tuple[str, str, bool]:
        """Return when the last look was taken, since its promotion where there was none."""
        limit = seen.settings.watch_limit_hours
        seconds = seen.of(ModelFacts).age(state.watched_at or state.promoted_at) or 0.0
        hours = seconds / HOUR_SECONDS
        words = f"was looked at {hours:.1f} h ago" if state.watched_at else f"was not looked at in {hours:.1f} h"
        return f"model {state.model_id} {words}", f"{limit:g} h", hours <= limit
