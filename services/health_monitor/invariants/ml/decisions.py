"""The champion is the model that decides, and it says something."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.scoring import Deciding, DecidingFacts, ScoreFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

NO_CHAMPION = "no champion: the rule decides"


class ChampionDecides(Invariant):
    """A scanner asks the champion, and nobody where there is none, within minutes of its promotion or end."""

    name = "champion decides"
    group = "ml"
    severity = "critical"
    advice = "the scanner's /health says which model it holds and why; its log has `model_loaded`: start it anew"
    settings = ("model_settle_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that scans."""
        limit = seen.settings.model_settle_seconds
        for state in seen.of(DecidingFacts).deciding:
            told, ok = self._told(state, limit)
            yield Verdict(subject=state.strategy, observed=told, limit=f"the champion, {limit:.0f} s after", ok=ok)

    def _told(self, state: Deciding, limit: float) -> tuple[str, bool]:
        champion = NO_CHAMPION if state.model_id is None else f"model {state.model_id} is the champion"
        if state.asked_id is None or state.asked_at is None:
            return f"{champion}, no setup was scored lately", True
        settled = state.since is None or (state.asked_at - state.since).total_seconds() > limit
        if state.asked_id == state.model_id or not settled:
            return f"{champion}, model {state.asked_id} was asked last", True
        return f"model {state.asked_id} decides, but {champion}", False


class FeaturesMatch(Invariant):
    """A champion was trained on the features that are computed now."""

    name = "champion's features"
    group = "ml"
    severity = "critical"
    advice = "a release changed the features: the rule decides until `tracker train` and the gate give a new champion"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that scans."""
        for state in seen.of(DecidingFacts).deciding:
            observed, limit = NO_CHAMPION, "as computed"
            if state.model_id is not None:
                observed = f"model {state.model_id} was trained on {state.feature_hash}"
                limit = f"{state.running_hash or 'nothing'} is computed"
            ok = state.model_id is None or state.running_hash in (None, state.feature_hash)
            yield Verdict(subject=state.strategy, observed=observed, limit=limit, ok=ok)


class SignalsScored(Invariant):
    """Each signal of a strategy with a champion carries that model's score."""

    name = "signals scored"
    group = "ml"
    severity = "warning"
    advice = "`tracker why SYMBOL` says why the rule decided alone; the scanner's heartbeat says what troubles it"
    settings = ("decision_window_hours", "model_settle_seconds")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy whose champion's time had signals."""
        hours = seen.settings.decision_window_hours
        for each in seen.of(ScoreFacts).unscored:
            yield Verdict(
                subject=each.strategy,
                observed=f"{each.unscored} of {each.signals} signals of {hours:g} h without a score",
                limit="0", ok=each.unscored == 0, value=float(each.unscored),
            )  # fmt: skip


class ConfidenceVaries(Invariant):
    """A champion tells one setup from another."""

    name = "confidence varies"
    group = "ml"
    severity = "warning"
    advice = "inputs may be stuck: `tracker models watch` has the drift, `tracker models rollback` is the way back"
    settings = ("confidence_spread_limit", "confidence_scores")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy with a champion."""
        limit, enough = seen.settings.confidence_spread_limit, seen.settings.confidence_scores
        for each in seen.of(ScoreFacts).confidence:
            known = each.scores >= enough and each.mean is not None
            yield Verdict(
                subject=each.strategy,
                observed=f"{each.scores} scores around {each.mean:.3f}, spread by {each.spread:.4f}" if known
                else f"{each.scores} scores, too few to say",
                limit=f"spread by {limit:g} among {enough} scores",
                ok=not known or each.spread >= limit, value=each.spread if known else None,
            )  # fmt: skip


class LabelsFollow(Invariant):
    """Setups of every active symbol are labelled up to lately, so that models learn from what came of them."""

    name = "labels follow"
    group = "ml"
    severity = "warning"
    advice = "`tracker retrain status` says whether build_labels runs, `tracker retrain now` has it run"
    unit = "hours"
    settings = ("label_lag_limit_hours",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy with labels."""
        limit = seen.settings.label_lag_limit_hours
        for each in seen.of(ScoreFacts).labelled:
            hours = max((each.closed_through - each.labelled_through).total_seconds() / 3600, 0.0)
            yield Verdict(
                subject=each.strategy, observed=f"{hours:.1f} h behind, {each.symbol} most", limit=f"{limit:g} h",
                ok=hours <= limit, value=hours,
            )  # fmt: skip
