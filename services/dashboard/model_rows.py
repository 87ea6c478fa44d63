"""Models as the page shows them: rows of its tables, bars of its charts, and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tracker.store.pages.models import ModelRow, Models

from services.dashboard import formats
from services.dashboard.charts.bars import Bar

# Of a population stability index: where it is called still, and where another population.
STILL, MOVED = 0.1, 0.25
RULE = "the rule alone"
LOOKS = {"keep": ("good", "it stays"), "retrain": ("warn", "train anew"), "demote": ("bad", "its place is given up")}


def title(model: ModelRow) -> str:
    """Return what a model is called in a list: dca · model 7 · champion."""
    return f"{model.strategy} · model {model.model_id} · {model.status}"


def decider_rows(found: Models) -> list[dict[str, Any]]:
    """Return a row for each strategy that scans or has a model: who decides, and how that goes."""
    champions = {each.strategy: each for each in found.models if each.status == "champion"}
    rows: list[dict[str, Any]] = []
    for strategy in sorted({*found.scanning, *(each.strategy for each in found.models)}):
        champion = champions.get(strategy)
        if champion is None:
            rows.append({"strategy": strategy, "decides": RULE})
            continue
        look = found.looks.get(champion.model_id, {})
        word, so = LOOKS.get(look.get("action", ""), (None, "not watched yet"))
        figures = {name: _digits(look.get(name)) for name in ("brier", "expected_brier")}
        rows.append({
            **look, **figures, "strategy": strategy, "decides": f"model {champion.model_id}",
            "promoted_at": champion.promoted_at, "look": word, "so": so,
        })  # fmt: skip
    return rows


def model_rows(models: Iterable[ModelRow]) -> list[dict[str, Any]]:
    """Return a row for each model."""
    return [
        {
            "model_id": each.model_id, "strategy": each.strategy, "status": each.status, "verdict": gate_word(each),
            "created_at": each.created_at, "judged": each.judged, "auc": _digits(each.auc, 3),
            "base_gain": _digits(each.base_gain, 3), "mean_return": each.mean_return,
            "return_bound": each.return_bound, "deflated_sharpe": each.deflated_sharpe,
        }
        for each in models
    ]  # fmt: skip


def gate_word(model: ModelRow) -> str | None:
    """Return what the gate last said of a model, None where it was not asked."""
    if model.passed is None:
        return None
    if model.passed:
        return "pass"
    return "warn" if model.forced else "fail"


def history_rows(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each change, with who decides after it."""
    return [
        {**each, "model": f"model {each['model_id']}",
         "decides": RULE if each["champion_id"] is None else f"model {each['champion_id']}"}
        for each in events
    ]  # fmt: skip


def criterion_rows(verdict: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each criterion, its number as people read it."""
    return [
        {**each, "number": _digits(each["number"]), "limit_value": _digits(each["limit_value"]),
         "holds": "pass" if each["ok"] else "fail"}
        for each in verdict
    ]  # fmt: skip


def verdict_words(verdict: Sequence[dict[str, Any]]) -> str:
    """Return what came of the last verdict, in a sentence; empty where there is none."""
    if not verdict:
        return ""
    first = verdict[0]
    failed = sum(not each["ok"] for each in verdict)
    answer = "All of it holds." if first["passed"] else f"{failed} of {len(verdict)} do not hold."
    came = " It was promoted." if first["promoted"] else " It was not promoted."
    if first["forced"]:
        came = f" {first['judged_by']} promoted it all the same: {first['reason']}"
    champion = first["champion_id"]
    against = "with no champion to beat" if champion is None else f"against model {champion}"
    return f"{answer}{came} Judged {against}."


def importance_bars(found: Iterable[dict[str, Any]]) -> list[Bar]:
    """Return the features by what a model owes to them."""
    return [
        Bar(
            name=each["feature"], value=each["gain_share"] or 0.0,
            note="" if each["permutation"] is None else f"{each['permutation']:.2g} nats a trade worse without it",
        )
        for each in found
    ]  # fmt: skip


def drift_bars(found: Iterable[dict[str, Any]]) -> list[Bar]:
    """Return the features by how far they have moved."""
    return [
        Bar(
            name=each["feature"], value=_digits(each["psi"], 3) or 0.0, beyond=(each["psi"] or 0.0) > MOVED,
            note=f"KS {each['ks']:.2g} · {formats.percent(each['gain_share'])} of the gain",
        )
        for each in found
    ]  # fmt: skip


def _digits(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
