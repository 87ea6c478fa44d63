"""Each criterion by which a champion is judged at work has a finding of the health monitor, and the other way round."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from tracker.domain.timeframe import EPOCH
from tracker.quant.learning.watch import LiveFigures, judge_live
from tracker.runtime.models_config import load_watch_limits
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.health.ml import ModelFacts
from tracker.store.job_facts import JobFacts
from tracker.store.model_states import ModelState

from services.health_monitor.invariants.base import Observation
from services.health_monitor.invariants.ml.models import ModelBrier, ModelCalibration, ModelDrift, ModelReturn
from services.health_monitor.settings import MonitorSettings

KINDS = (ModelCalibration, ModelBrier, ModelReturn, ModelDrift)
# Judged by its own figures, at every look and not once an hour.
ELSEWHERE = "age in days"
NOW = datetime(2024, 3, 1, tzinfo=UTC)


def criteria(**figures: float) -> list[dict[str, Any]]:
    """Return what is kept of a look at a champion of which all is known."""
    whole = {each.name: 1_000_000 for each in fields(LiveFigures)} | {
        "bias_low": 0.0, "bias_high": 0.0, "base_gain_bound": 0.1, "return_bound": 0.1, "expected_return": 0.1,
        "drifted_share": 0.0, "age_days": 1.0,
    }  # fmt: skip
    watched = judge_live(LiveFigures(**{**whole, **figures}), load_watch_limits(PROJECT_ROOT / "configs"))
    return [
        {
            "name": each.name, "number": each.number, "comparison": str(each.comparison), "limit": each.limit,
            "ok": each.ok,
        }
        for each in (*watched.demotes, *watched.retrains)
    ]  # fmt: skip


def seen(kept: list[dict[str, Any]]) -> Observation:
    """Return what the monitor sees of a champion with such a look."""
    state = ModelState(
        strategy="dca", closed_through=NOW, model_id=1, promoted_at=NOW, known_from=EPOCH, watched_at=NOW,
        action="keep", criteria=kept,
    )  # fmt: skip
    facts = ModelFacts(now=NOW, models=[state], jobs=JobFacts())
    return Observation(settings=load_settings(MonitorSettings), facts={ModelFacts: facts})


def test_no_criterion_is_without_a_finding() -> None:
    for each in criteria():
        told = [kind for kind in KINDS if each["name"].startswith(kind.about)]
        assert len(told) == (0 if each["name"] == ELSEWHERE else 1), each["name"]


@pytest.mark.parametrize(
    ("kind", "figures"),
    [
        (ModelCalibration, {"bias_high": -0.5}),
        (ModelCalibration, {"bias_low": 0.5}),
        (ModelBrier, {"base_gain_bound": -0.1}),
        (ModelReturn, {"return_bound": -0.1}),
        (ModelDrift, {"drifted_share": 0.9}),
    ],
)
def test_what_breaks_is_told_by_its_own_finding(kind: type[ModelBrier], figures: dict[str, float]) -> None:
    for each in KINDS:
        (well,) = each().judge(seen(criteria()))
        (broken,) = each().judge(seen(criteria(**figures)))
        assert well.ok
        assert "too little is known" not in well.observed
        assert broken.ok is (each is not kind)
