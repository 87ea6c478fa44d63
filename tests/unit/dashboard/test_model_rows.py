"""Models and variations as their pages show them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tracker.store.pages.models import ModelRow, Models
from tracker.store.pages.shadow import Point, Progress
from tracker.testing.builders import START

from services.dashboard.charts.against import calibration_options, promise_options
from services.dashboard.charts.bars import Bar, Mark, bars
from services.dashboard.charts.clouds import BEYOND_LUCK, deflation_options, halves_options
from services.dashboard.formats import MINUS
from services.dashboard.model_rows import (
    criterion_rows,
    decider_rows,
    drift_bars,
    gate_word,
    history_rows,
    importance_bars,
    model_rows,
    title,
    verdict_words,
)
from services.dashboard.pages.shadow import changes_in_words, is_beyond, leader_rows, tried_rows

MODEL = ModelRow(
    model_id=7, strategy="dca", status="champion", created_at=START, promoted_at=START, retired_at=None,
    learnt_through=START, predecessor_id=None, judged_at=START, passed=True, forced=False, learnt=5_200, judged=1_843,
    auc=0.57123, base_gain=0.004551, slope=0.97, trades=412, mean_return=0.0021, return_bound=0.0005,
    deflated_sharpe=0.97,
)  # fmt: skip
LOOK = {
    "model_id": 7, "watched_at": START, "action": "retrain", "trades": 96, "mean_return": 0.001,
    "expected_return": 0.002, "brier": 0.2458123, "expected_brier": 0.247, "bias": 0.01, "drifted_share": 0.5,
}  # fmt: skip
POINT = Point(
    strategy="dca", variation="0123456789abcdef", is_live=False, trades=12, total_return=0.02, dsr=0.3,
    first_half_return=0.015, second_half_return=0.005,
)  # fmt: skip
PROGRESS = Progress(
    strategy="dca", variations=1_035, ever=1_040, started_at=START, closed_through=START, as_of=START, signals=900,
    held_back=100, model_id=7,
)  # fmt: skip


def found(*models: ModelRow, scanning: tuple[str, ...] = (), looks: dict[int, dict[str, Any]] | None = None) -> Models:
    return Models(models=models, scanning=scanning, looks=looks or {}, history=())


def test_every_strategy_that_scans_says_who_decides() -> None:
    rows = decider_rows(found(MODEL, replace(MODEL, model_id=8, status="candidate"), scanning=("dca", "swing")))
    assert [(row["strategy"], row["decides"]) for row in rows] == [("dca", "model 7"), ("swing", "the rule alone")]
    assert (rows[0]["look"], rows[0]["so"]) == (None, "not watched yet")
    (row,) = decider_rows(found(MODEL, looks={7: LOOK}))
    assert (row["look"], row["so"], row["brier"]) == ("warn", "train anew", 0.2458)
    (row,) = decider_rows(found(replace(MODEL, status="retired")))
    assert row["decides"] == "the rule alone"


@pytest.mark.parametrize(
    ("passed", "forced", "word"),
    [(None, None, None), (True, False, "pass"), (False, False, "fail"), (False, True, "warn")],
)
def test_the_gate_in_a_word(passed: bool | None, forced: bool | None, word: str | None) -> None:
    assert gate_word(replace(MODEL, passed=passed, forced=forced)) == word


def test_figures_have_as_many_digits_as_they_are_worth() -> None:
    (row,) = model_rows([MODEL])
    assert (row["auc"], row["base_gain"]) == (0.571, 0.00455)
    assert title(MODEL) == "dca · model 7 · champion"


def criterion(**changes: Any) -> dict[str, Any]:
    return {
        "criterion": "Deflated Sharpe", "number": 0.387654, "comparison": "at least", "limit_value": 0.95, "ok": False,
        "champion_id": None, "passed": False, "forced": False, "promoted": False, "judged_by": "anna", "reason": "",
        **changes,
    }  # fmt: skip


def test_a_verdict_in_words() -> None:
    assert verdict_words([]) == ""
    assert verdict_words([criterion(), criterion(ok=True)]) == (
        "1 of 2 do not hold. It was not promoted. Judged with no champion to beat."
    )
    assert verdict_words([criterion(ok=True, passed=True, promoted=True, champion_id=3)]) == (
        "All of it holds. It was promoted. Judged against model 3."
    )
    assert "anna promoted it all the same: it has to go" in verdict_words(
        [criterion(forced=True, promoted=True, reason="it has to go")]
    )
    (row, unknown) = criterion_rows([criterion(), criterion(number=None, ok=False)])
    assert (row["number"], row["holds"]) == (0.3877, "fail")
    assert unknown["number"] is None


def test_a_change_of_hands_says_who_decides_after_it() -> None:
    event = {"model_id": 7, "champion_id": None}
    assert history_rows([event, {**event, "champion_id": 3}]) == [
        {**event, "model": "model 7", "decides": "the rule alone"},
        {"model_id": 7, "champion_id": 3, "model": "model 7", "decides": "model 3"},
    ]


def test_features_that_moved_are_told_by_more_than_colour() -> None:
    moved, still = drift_bars([
        {"feature": "rsi_14", "psi": 0.30004, "ks": 0.21, "gain_share": 0.12},
        {"feature": "natr_14", "psi": 0.25, "ks": 0.1, "gain_share": None},
    ])  # fmt: skip
    assert (moved.value, moved.beyond, still.beyond) == (0.3, True, False)
    data = bars([moved, still], "number", [Mark(value=0.25, word="moved")])["series"][0]["data"]
    assert [bool(each["itemStyle"]["decal"]) for each in data] == [True, False]
    (bar,) = importance_bars([{"feature": "rsi_14", "gain_share": 0.1, "permutation": -0.00012}])
    assert bar == Bar(name="rsi_14", value=0.1, note="-0.00012 nats a trade worse without it")


def test_the_line_of_calibration_holds_all_groups() -> None:
    group = {"predicted": 0.52, "observed": 0.61, "labels": 43, "mean_return": 0.001}
    options = calibration_options([group, {**group, "predicted": 0.38, "observed": 0.41}])
    assert (options["xAxis"]["min"], options["xAxis"]["max"]) == (0.3, 0.7)
    assert (options["yAxis"]["min"], options["yAxis"]["max"]) == (0.3, 0.7)
    assert options["series"][0]["data"] == [[0.3, 0.3], [0.7, 0.7]]
    assert options["series"][1]["data"][0] == [0.52, 0.61, 43, 0.001]
    for each in (options, calibration_options([]), promise_options("number")):
        assert orjson.dumps(each)


def test_a_cloud_has_a_series_a_strategy_and_what_is_live_on_top() -> None:
    points = [POINT, replace(POINT, strategy="swing", is_live=True), replace(POINT, dsr=None), replace(POINT, trades=0)]
    deflation, halves = deflation_options(points, ["dca", "swing"]), halves_options(points, ["dca", "swing"])
    counts = [[len(each["data"]) for each in options["series"]] for options in (deflation, halves)]
    assert [each["name"] for each in halves["series"]] == ["dca", "swing", "live"]
    assert counts == [[1, 0, 1], [2, 0, 1]]
    assert deflation["series"][0]["data"] == [[0.02, 0.3, POINT.variation, 12]]
    # Told apart by their shapes, too.
    assert len({each["symbol"] for each in deflation["series"]}) == 3
    # Also where there is no strategy yet.
    assert orjson.dumps(deflation_options([], []))


def test_what_was_tried_is_counted_by_strategy() -> None:
    points = [
        POINT, replace(POINT, dsr=BEYOND_LUCK, total_return=0.05), replace(POINT, is_live=True, total_return=-0.01),
        replace(POINT, trades=0, dsr=None, total_return=0.0), replace(POINT, strategy="swing"),
    ]  # fmt: skip
    (row,) = tried_rows([PROGRESS], points)
    told = {name: row[name] for name in ("traded", "gained", "beyond", "best", "live", "decides")}
    assert told == {"traded": 3, "gained": 2, "beyond": 1, "best": 0.05, "live": -0.01, "decides": "model 7"}
    assert [is_beyond(each) for each in points] == [False, True, False, False, False]
    (row,) = tried_rows([replace(PROGRESS, model_id=None)], [])
    assert (row["decides"], row["best"], row["live"]) == ("the rule alone", None, None)


def test_a_leader_says_what_it_changes() -> None:
    changes = {"min_strength": 0.6, "risk.sizing.risk_per_trade": 0.03, "model.min_confidence": 0.5}
    assert changes_in_words(changes) == "min_strength 0.6, risk_per_trade 0.03, min_confidence 0.5"
    row = {"variation": "0123456789abcdef", "is_live": False, "changes": changes, "sharpe": 13.4321, "hours": 720}
    (shown,) = leader_rows([row])
    assert (shown["id"], shown["sharpe"], shown["changed"]) == ("01234567", 13.4, changes_in_words(changes))
    live, file = leader_rows([{**row, "is_live": True, "changes": {}}, {**row, "changes": {}}])
    assert (live["changed"], file["changed"]) == ("in force", "the file")
    assert MINUS not in live["id"]
