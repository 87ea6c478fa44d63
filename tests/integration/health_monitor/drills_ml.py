"""How each invariant of the group "ml" is broken and mended."""

from __future__ import annotations

from ward import Drill

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
    {"name": "drifted share of the gain", "number": 0.1, "comparison": "<=", "limit": 0.3, "ok": true},
    {"name": "Brier score gained on the base rate", "number": 0.01, "comparison": ">=", "limit": 0, "ok": true},
    {"name": "mean net return of a trade", "number": 0.004, "comparison": ">=", "limit": 0.001, "ok": true}]', '[]'
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


# It has been champion for an hour, and scored setups of every symbol at each of the last four closes.
SCORES = """
UPDATE tracker.models SET promoted_at = now() - interval '1 hour', known_from = known_from - interval '1 day';
INSERT INTO tracker.predictions (decided_at, model_id, margin, probability, threshold, symbol_id, is_champion,
  is_signal, taken, strategy, config_hash)
  SELECT closed_through - n * interval '15 minutes', 1, 0, 0.55 + symbol_id * 0.01, 0.55, symbol_id, true, true, true,
    'dca', 'c'
  FROM tracker.scan_watermarks, tracker.symbols, generate_series(0, 3) n;
"""
# And this is what one of them led to.
SIGNAL = """
DELETE FROM tracker.orders;
DELETE FROM tracker.signals;
INSERT INTO tracker.signals (decided_at, expires_at, entry, stop, target, strategy, timeframe, symbol_id, side,
  confirmations, strength, market_regime, config_hash, model_id)
  SELECT closed_through, closed_through + interval '1 day', 10, 9, 12, 'dca', '15m', 1, 'long', 2, 1, 'range', 'c', 1
  FROM tracker.scan_watermarks;
"""
FEATURES = "UPDATE tracker.feature_sets SET hash = 'f'"
LABELS = """
INSERT INTO tracker.label_configs (config_hash, strategy, timeframe, strategy_hash, params, rules)
  VALUES ('l', 'dca', '15m', 'c', '{}', '{}');
INSERT INTO tracker.label_cursors (config_hash, symbol_id, labelled_through)
  SELECT 'l', symbol_id, closed_through FROM tracker.scan_watermarks, tracker.symbols;
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
    Drill(
        kind=ModelBrier,
        name="model Brier score dca",
        before=CHAMPION,
        breaking=looked_again(2, -0.02, holds=False),
        observed=r"model 1: Brier score gained on the base rate is -0\.02",
        mending=looked_again(2, 0.01, holds=True),
    ),
    Drill(
        kind=ModelReturn,
        name="model return dca",
        before=CHAMPION,
        breaking=looked_again(3, -0.001, holds=False),
        observed=r"model 1: mean net return of a trade is -0\.001",
        mending=looked_again(3, 0.003, holds=True),
    ),
    Drill(
        kind=ModelWatched,
        name="model watched dca",
        before=CHAMPION,
        breaking="UPDATE tracker.model_performance SET watched_at = now() - interval '4 hours'",
        observed=r"model 1 was looked at 4\.0 h ago",
        mending="UPDATE tracker.model_performance SET watched_at = now()",
    ),
    Drill(
        kind=ModelWatched,
        name="model watched dca",
        before=CHAMPION,
        breaking=(
            "DELETE FROM tracker.model_performance; UPDATE tracker.models SET promoted_at = now() - interval '5 hours'"
        ),
        observed=r"model 1 was not looked at in 5\.0 h",
        mending="UPDATE tracker.models SET promoted_at = now()",
    ),
    Drill(
        kind=ChampionDecides,
        name="champion decides dca",
        before=CHAMPION + SCORES,
        breaking=(
            "INSERT INTO tracker.predictions (decided_at, model_id, margin, probability, threshold, symbol_id,"
            " is_champion, is_signal, taken, strategy, config_hash) SELECT closed_through + interval '15 minutes', 7,"
            " 0, 0.6, 0.55, 1, true, true, true, 'dca', 'c' FROM tracker.scan_watermarks"
        ),
        observed="model 7 decides, but model 1 is the champion",
        mending="DELETE FROM tracker.predictions WHERE model_id = 7",
    ),
    Drill(
        kind=ChampionDecides,
        name="champion decides dca",
        before=CHAMPION + SCORES,
        breaking="UPDATE tracker.models SET status = 'retired', retired_at = now() - interval '10 minutes'",
        observed="model 1 decides, but no champion: the rule decides",
        mending="UPDATE tracker.models SET retired_at = now() + interval '1 second'",
    ),
    Drill(
        kind=FeaturesMatch,
        name="champion's features dca",
        before=CHAMPION + FEATURES,
        breaking="UPDATE tracker.feature_sets SET hash = 'g'",
        observed="model 1 was trained on f",
        mending="UPDATE tracker.feature_sets SET hash = 'f'",
    ),
    Drill(
        kind=SignalsScored,
        name="signals scored dca",
        before=CHAMPION + SCORES + SIGNAL,
        breaking="CREATE TABLE aside AS SELECT * FROM tracker.predictions; DELETE FROM tracker.predictions",
        observed="1 of 1 signals of 6 h without a score",
        mending="INSERT INTO tracker.predictions SELECT * FROM aside",
    ),
    Drill(
        kind=ConfidenceVaries,
        name="confidence varies dca",
        before=CHAMPION + SCORES,
        breaking="UPDATE tracker.predictions SET probability = 0.6",
        observed=r"40 scores around 0\.600, spread by 0\.0000",
        mending="UPDATE tracker.predictions SET probability = 0.55 + symbol_id * 0.01",
    ),
    Drill(
        kind=LabelsFollow,
        name="labels follow dca",
        before=LABELS,
        breaking=(
            "UPDATE tracker.label_cursors SET labelled_through = labelled_through - interval '20 hours'"
            " WHERE symbol_id = 4"
        ),
        observed=r"20\.0 h behind, S4-USD most",
        mending="UPDATE tracker.label_cursors SET labelled_through = labelled_through + interval '10 hours'",
    ),
    Drill(
        kind=ArtifactsIntact,
        name="artifacts intact",
        before=(
            f"{CHAMPION} UPDATE tracker.models SET artifact = '\\x010203',"
            " sha256 = encode(sha256('\\x010203'), 'hex')"
        ),
        breaking="UPDATE tracker.models SET artifact = set_byte(artifact, 1, 9)",
        observed=r"damaged: model 1 \(champion of dca\)",
        mending="UPDATE tracker.models SET artifact = set_byte(artifact, 1, 2)",
    ),
)
