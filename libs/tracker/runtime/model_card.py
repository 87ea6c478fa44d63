"""A model on one page that stands alone: what it was made of, what it can do, and where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.quant.learning.calibration import log_losses, reliability
from tracker.quant.learning.evidence import WindowFigures
from tracker.quant.learning.model import Trained
from tracker.quant.learning.samples import DAY, Samples, by_day, effective_number
from tracker.quant.promotion import Verdict
from tracker.runtime.charts import Line, curve_chart, histogram, time_chart
from tracker.runtime.page import card, figures, legend, page, section, table, warning

Floats = NDArray[np.float64]
MOST_FEATURES = 25
MOST_SYMBOLS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What the page says beside the model itself; `symbols` and `regimes` name their numbers."""

    strategy: str
    lineage: Mapping[str, Any]
    window: WindowFigures
    verdict: Verdict
    threshold: float
    symbols: Mapping[int, str]
    regimes: Sequence[str]


def model_card(trained: Trained, facts: CardFacts) -> str:
    """Return the HTML document."""
    window = trained.window
    probability = trained.scorer.score(window.features)
    parts = [
        f"<h1>{facts.strategy.capitalize()} model</h1>",
        f'<p class="note">{_headline(trained, facts)}</p>',
        _answer(facts.verdict),
        figures(_headline_figures(facts.window)),
        section("What the gate says", _criteria(facts.verdict), note="All of it has to hold, or the champion stays."),
        *_honesty(window, probability, trained, facts),
        *_money(window, probability, facts),
        section("By symbol", _groups(window, probability, window.symbol, facts, facts.symbols)),
        section(
            "By market regime at the decision",
            _groups(window, probability, window.regime, facts, dict(enumerate(facts.regimes))),
        ),
        *_learning(trained),
        section(
            "What it looks at",
            _features(trained),
            note="Gain: log-loss that splits took off in training, as a share. Permutation: nats a trade that the "
            "untouched window costs more with the feature dealt anew among the trades; about 0 says it is not missed.",
        ),
        section("Tried", _tries(trained), note="On rows that the folds did not learn from; each is logged as a trial."),
        section("Lineage", table(("what", "value"), _plain_rows(facts.lineage))),
    ]
    return page(f"{facts.strategy} model", parts)


def _headline(trained: Trained, facts: CardFacts) -> str:
    return (
        f"Learnt from {trained.learnt:,} trades that were decided from {_day(trained.learnt_from)} and had ended by "
        f"{_day(trained.learnt_through)}; judged on {len(trained.window):,} from "
        f"{_day(int(trained.window.decided_at[0]))} to {_day(int(trained.window.decided_at[-1]))}, "
        f"which nothing was fitted to. {trained.fitted.rounds} trees."
    )


def _answer(verdict: Verdict) -> str:
    if verdict.passed:
        return '<p class="note">The gate lets it pass.</p>'
    return warning(f"The gate refuses it: {len(verdict.failed)} of {len(verdict.criteria)} criteria do not hold.")


def _headline_figures(window: WindowFigures) -> list[tuple[str, str]]:
    return [
        ("Area under the curve", _number(window.auc, 3)),
        ("Log-loss", _number(window.log_loss, 4)),
        ("gained on the base rate, at least", _number(window.base_gain, 4)),
        ("Brier score", _number(window.brier, 4)),
        ("Calibration slope", _number(window.slope, 2)),
        ("Calibration error beyond chance", _percent(window.calibration_error)),
        ("Won in the window", _percent(window.base_rate)),
        ("Trades over the threshold", f"{window.trades:,}"),
        ("Mean net return a trade", _percent(window.mean_return, 3)),
        ("at least", _percent(window.return_bound, 3)),
        ("Sharpe ratio a day", _number(window.daily_sharpe, 2)),
        ("Deflated Sharpe", _percent(window.deflated_sharpe)),
    ]


def _criteria(verdict: Verdict) -> str:
    rows = [
        [
            each.name, "not known" if each.number is None else f"{each.number:.4g}",
            f"{each.comparison} {each.limit:.4g}", "holds" if each.ok else "does not hold",
        ]
        for each in verdict.criteria
    ]  # fmt: skip
    return table(("criterion", "number", "limit", ""), rows)


def _honesty(window: Samples, probability: Floats, trained: Trained, facts: CardFacts) -> list[str]:
    found = reliability(probability, window.won, window.weight)
    ends = np.array([found.predicted.min(), found.predicted.max()])
    return [
        section(
            "Does it mean what it says?",
            card(
                legend((("won", "a"), ("as predicted", "b"))),
                curve_chart(
                    [
                        (ends, Line(name="as predicted", values=ends, style="b")),
                        (found.predicted, Line(name="won", values=found.observed)),
                    ],
                    x_label="predicted chance of a win",
                    percent=True,
                    dots=True,
                ),
            ),
            note="Trades of the window in ten groups by their predicted chance, and how many of each were won. "
            f"Chance alone makes the points stray by about {found.chance_error * 100:.1f}%.",
        ),
        section(
            "How sure it is",
            card(histogram(probability - trained.base_rate, percent=True, label="predicted chance less the base rate")),
            note=f"Predicted chances less the base rate of {trained.base_rate * 100:.1f}%; "
            f"trades are taken from {facts.threshold * 100:.0f}% on.",
        ),
    ]


def _money(window: Samples, probability: Floats, facts: CardFacts) -> list[str]:
    taken = probability >= facts.threshold
    earned = window.net_return * window.weight
    days = np.arange(int(window.days.min()), int(window.days.max()) + 1) * DAY
    chosen = np.cumsum(by_day(window.days, np.where(taken, earned, 0.0)))
    everything = np.cumsum(by_day(window.days, earned)) * (taken.sum() / max(1, taken.size))
    return [
        section(
            "What trading it would have returned",
            card(
                legend((("trades over the threshold", "a"), ("as many of all setups", "b"))),
                time_chart(
                    days.tolist(),
                    [Line(name="as many of all setups", values=everything, style="b"),
                     Line(name="trades over the threshold", values=chosen)],
                    percent=True,
                ),
            ),
            note="Net returns of the window's trades added up, each weighted with its uniqueness: not an account.",
        )
    ]  # fmt: skip


def _groups(
    window: Samples, probability: Floats, number: NDArray[np.int64], facts: CardFacts, names: Mapping[int, str]
) -> str:
    base = log_losses(np.full(len(window), facts.window.base_rate), window.won)
    gain = base - log_losses(probability, window.won)
    rows: list[list[str]] = []
    for each in np.unique(number).tolist()[:MOST_SYMBOLS]:
        mine = number == each
        taken = mine & (probability >= facts.threshold)
        weight = window.weight[mine]
        rows.append(
            [
                names.get(each, str(each)), f"{int(mine.sum()):,}", f"{effective_number(weight):,.0f}",
                _percent(float(np.average(window.won[mine], weights=weight))),
                _percent(float(np.average(probability[mine], weights=weight))),
                _number(float(np.average(gain[mine], weights=weight)), 4), f"{int(taken.sum()):,}",
                _percent(float(np.average(window.net_return[taken], weights=window.weight[taken])), 3)
                if taken.any() else "",
            ]
        )  # fmt: skip
    head = ("", "trades", "independent", "won", "predicted", "log-loss gained", "over threshold", "net return each")
    return table(head, rows)


def _learning(trained: Trained) -> list[str]:
    curve = trained.curve
    labels = np.array([each.labels for each in curve], dtype=np.float64)
    rounds = np.arange(1, trained.fitted.trained.size + 1, dtype=np.float64)

    def line(name: str, field: str, style: str) -> tuple[Floats, Line]:
        return labels, Line(name=name, values=np.array([getattr(each, field) for each in curve]), style=style)

    return [
        section(
            "More labels",
            card(
                legend((("on rows it had not seen", "a"), ("on what it learnt from", "loss"), ("base rate", "b"))),
                curve_chart(
                    [line("base rate", "base", "b"), line("learnt", "trained", "loss"), line("unseen", "tested", "a")],
                    x_label="labels learnt from", dots=True,
                ),
            ),
            note=f"Log-loss of {len(curve)} models, each learnt from a longer past and tested on the time after it.",
        ),
        section(
            "More trees",
            card(
                legend((("on rows that say when to stop", "a"), ("on what it learns from", "loss"))),
                curve_chart(
                    [
                        (rounds, Line(name="learnt", values=trained.fitted.trained, style="loss")),
                        (rounds, Line(name="stop", values=trained.fitted.stopped)),
                    ],
                    x_label="trees",
                ),
            ),
            note=f"The best was at tree {trained.fitted.rounds}: those after it are cut off.",
        ),
    ]  # fmt: skip


def _features(trained: Trained) -> str:
    total = sum(each.gain for each in trained.importance) or 1.0
    rows = [
        [each.feature, _percent(each.gain / total), f"{each.permutation:.5f}"]
        for each in trained.importance[:MOST_FEATURES]
    ]
    return table(("feature", "gain", "permutation"), rows)


def _tries(trained: Trained) -> str:
    rows = [
        [
            f"{'* ' if number == trained.best else ''}{number + 1}",
            *(f"{value:.4g}" for value in asdict(each.configuration).values()),
            f"{each.log_loss:.5f}", f"{each.trades:,}", _number(each.daily_sharpe, 2),
        ]
        for number, each in enumerate(trained.tried)
    ]  # fmt: skip
    names = [each.replace("_", " ") for each in asdict(trained.tried[0].configuration)]
    return table(("try", *names, "log-loss", "trades", "Sharpe a day"), rows)


def _plain_rows(plain: Mapping[str, Any], before: str = "") -> list[list[str]]:
    rows: list[list[str]] = []
    for name, value in plain.items():
        said = f"{before}{name.replace('_', ' ')}"
        rows += _plain_rows(value, f"{said}: ") if isinstance(value, Mapping) else [[said, str(value)]]
    return rows


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "not known"


def _percent(value: float, digits: int = 1) -> str:
    return f"{value * 100:.{digits}f}%" if math.isfinite(value) else "not known"


