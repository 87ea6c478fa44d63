"""How each invariant of the group "ml" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.ml.demotions import ModelDemoted
from services.health_monitor.invariants.ml.jobs import JobsSucceed, TrainingFresh
from services.health_monitor.invariants.ml.models import ModelAge, ModelCalibration, ModelDrift

# The champion of dca, and a look at it in which everything was in order.
CHAMPION = """
INSERT INTO tracker.models (strategy, status, promoted_at, learnt_through, window_from, known_from, feature_hash,
  label_config, config_hash, sha256, artifact, calibration, metrics, lineage, card)
  SELECT 'dca', 'champion', now(), closed_through, closed_through, closed_through, 'f', 'l', 'c', repeat('0', 64), '',
    '{}', '{}', '{}', ''
  FROM tracker.scan_watermarks;
INSERT INTO tracker.model_performance
  (window_from, window_to, model_id, strategy, action, acted, figures, criteria, drift)
  SELECT now() - interval '1 day', now(), model_id, strategy, 'keep', false, '{}', '[
    {"name": "calibration error", "number": 0.01, "comparison": "<=", "limit": 0.05, "ok": true},
    {"name": "drifted share of the gain", "number": 0.1, "comparison": "<=", "limit": 0.3, "ok": true}]', '[]'
  FROM tracker.models;
"""


def looked_again(place: int, number: float, holds: bool) -> str:
    """Return what notes one more look at the champion, in which one of the criteria is another."""
    return f"""
INSERT INTO tracker.model_performance
  (window_from, window_to, model_id, strategy, action, acted, figures, criteria, drift)
  SELECT window_from, window_to, model_id, strategy, action, acted, figures, jsonb_set(jsonb_set(criteria,
    '{{{place},number}}', '{number}'), '{{{place},ok}}', '{str(holds).lower()}'), drift
  FROM tracker.model_performance LIMIT 1;
"""


DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=TrainingFresh,
        name="training dca",
        breaking=(
            "UPDATE tracker.job_runs SET started_at = now() - interval '31 h', ended_at = now() - interval '31 h'"
            " WHERE strategy = 'dca'; INSERT INTO tracker.job_runs (job_id, kind, strategy, reason,"
            " attempt, started_at,"
            " ended_at, outcome) VALUES (2, 'train', 'dca', 'x', 1, now() - interval '2 h', now(), 'interrupted')"
        ),
        observed=r"31 h ago",
        mending=(
            "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at,"
            " ended_at, outcome, result)"
            " VALUES (3, 'train', 'dca', 'x', 1, now(), now(), 'done', '{\"note\": \"12 labels, 1000 are needed\"}')"
        ),
    ),
    Drill(
        kind=TrainingFresh,
        name="training swing",
        breaking=(
            "UPDATE tracker.job_runs SET started_at = now() - interval '40 h', outcome = 'failed', error = 'no'"
            " WHERE strategy = 'swing'"
        ),
        observed=r"never in 40 h",
        mending="UPDATE tracker.job_runs SET outcome = 'done', error = NULL WHERE strategy = 'swing'",
    ),
    Drill(
        kind=JobsSucceed,
        name="model jobs succeed",
        breaking=(
            "INSERT INTO tracker.pgqueuer (id, priority, status, entrypoint, dedupe_key) VALUES (7, 1,"
            " 'failed', 'watch',"
            " 'watch:dca'); INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt,"
            " started_at, ended_at,"
            " outcome, error) VALUES (7, 'watch', 'dca', 'x', 1, now(), now(), 'failed', 'no gate')"
        ),
        observed=r"watch of dca: no gate",
        mending="UPDATE tracker.pgqueuer SET status = 'queued'",
    ),
    Drill(
        kind=ModelAge,
        name="model age dca",
        before=CHAMPION,
        breaking="UPDATE tracker.models SET known_from = known_from - interval '31 days'",
        observed=r"model 1 is 31\.0 days old",
        mending="UPDATE tracker.models SET known_from = known_from + interval '31 days'",
    ),
    Drill(
        kind=ModelCalibration,
        name="model calibration dca",
        before=CHAMPION,
        breaking=looked_again(0, 0.2, holds=False),
        observed="model 1: calibration error is 0.2",
        mending=looked_again(0, 0.02, holds=True),
    ),
    Drill(
        kind=ModelDrift,
        name="model drift dca",
        before=CHAMPION,
        breaking=looked_again(1, 0.5, holds=False),
        observed="model 1: drifted share of the gain is 0.5",
        mending=looked_again(1, 0.2, holds=True),
    ),
    Drill(
        kind=ModelDemoted,
        name="model demoted dca",
        before=CHAMPION,
        breaking=(
            "INSERT INTO tracker.model_events (strategy, action, model_id, champion_id, made_by, reason)"
            " SELECT strategy, 'demote', model_id, NULL, 'ml_retrainer', 'mean net return of a trade is -0.01'"
            " FROM tracker.models"
        ),
        observed="model 1 0 h ago: mean net return of a trade is -0.01; model 1 decides",
        mending="UPDATE tracker.model_events SET at = now() - interval '49 hours'",
    ),
)
