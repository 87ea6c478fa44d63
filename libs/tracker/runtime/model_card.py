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
from tracker.runtime.page import Bad, Bar, card, facts, figures, legend, page, section, table, warning

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


def model_card(trained: Trained, about: CardFacts) -> str:
    """Return the HTML document."""
    window = trained.window
    probability = trained.scorer.score(window.features)
    parts = [
        f"<h1>{about.strategy.capitalize()} model</h1>",
        f'<p class="note">{_headline(trained, about)}</p>',
        _answer(about.verdict),
        figures(_headline_figures(about.window)),
        section("What the gate says", _criteria(about.verdict), note="All of it has to hold, or the champion stays."),
        *_honesty(window, probability, trained, about),
        *_money(window, probability, about),
        section("By symbol", _groups(window, probability, window.symbol, about, about.symbols)),
        section(
            "By market regime at the decision",
            _groups(window, probability, window.regime, about, dict(enumerate(about.regimes))),
        ),
        *_learning(trained),
        section(
            "What it looks at",
            _features(trained),
            note="Gain: log-loss that splits took off in training, as a share. Permutation: nats a trade that the "
            "untouched window costs more with the feature dealt anew among the trades; about 0 says it is not missed.",
        ),
        section("Tried", _tries(trained), note="On rows that the folds did not learn from; each is logged as a trial."),
        *_lineage(about.lineage),
    ]
    return page(f"{about.strategy} model", parts)


def _headline(trained: Trained, about: CardFacts) -> str:
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
            each.name, _criterion_number(each.number),
            f"{each.comparison} {each.limit:.4g}", "holds" if each.ok else Bad("does not hold"),
        ]
        for each in verdict.criteria
    ]  # fmt: skip
    return table(("criterion", "number", "limit", ""), rows)


def _criterion_number(number: float | None) -> str:
    # Of a limit from above, less than nothing is no loss: it is not marked as one.
    return "not known" if number is None else f"{number:,.4g}".replace("-", "\N{MINUS SIGN}")


def _honesty(window: Samples, probability: Floats, trained: Trained, about: CardFacts) -> list[str]:
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
            f"trades are taken from {about.threshold * 100:.0f}% on.",
        ),
    ]


def _money(window: Samples, probability: Floats, about: CardFacts) -> list[str]:
    taken = probability >= about.threshold
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
    window: Samples, probability: Floats, number: NDArray[np.int64], about: CardFacts, names: Mapping[int, str]
) -> str:
    base = log_losses(np.full(len(window), about.window.base_rate), window.won)
    gain = base - log_losses(probability, window.won)
    rows: list[list[str]] = []
    for each in np.unique(number).tolist()[:MOST_SYMBOLS]:
        mine = number == each
        taken = mine & (probability >= about.threshold)
        weight = window.weight[mine]
        rows.append(
            [
                names.get(each, str(each)).replace("_", " "),
                f"{int(mine.sum()):,}", f"{effective_number(weight):,.0f}",
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
    most = max((each.gain for each in trained.importance), default=0.0) or 1.0
    rows = [
        [
            each.feature,
            Bar(text=_percent(each.gain / total), share=each.gain / most),
            f"{each.permutation * 1_000:.2f}",
        ]
        for each in trained.importance[:MOST_FEATURES]
    ]
    rest = len(trained.importance) - len(rows)
    below = f'<p class="note">And {rest} more with less gain.</p>' if rest > 0 else ""
    return table(("feature", "share of the gain", "permutation, 1/1000 nat"), rows) + below


def _tries(trained: Trained) -> str:
    rows = [
        [
            f"{number + 1}, chosen" if number == trained.best else f"{number + 1}",
            *(_plain(value) for value in asdict(each.configuration).values()),
            f"{each.log_loss:.5f}", f"{each.trades:,}", _percent(each.total_return), _number(each.daily_sharpe, 2),
        ]
        for number, each in enumerate(trained.tried)
    ]  # fmt: skip
    names = [each.replace("_", " ") for each in asdict(trained.tried[0].configuration)]
    return table(("try", *names, "log-loss", "trades", "their return", "Sharpe a day"), rows)


def _lineage(lineage: Mapping[str, Any]) -> list[str]:
    """Return where it comes from: what stands alone first, then each group under its own name."""
    alone = {name: value for name, value in lineage.items() if not isinstance(value, Mapping)}
    groups = {name: value for name, value in lineage.items() if isinstance(value, Mapping) and value}
    tables = [card(f"<h3>{name.replace('_', ' ').capitalize()}</h3>", facts(_plain_rows(each)))
              for name, each in groups.items()]  # fmt: skip
    return [section("Lineage", card(facts(_plain_rows(alone)))), f'<div class="pair">{"".join(tables)}</div>']


def _plain_rows(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _plain(value)) for name, value in plain.items()]


def _plain(value: Any) -> str:
    """Return a value as people write it: moments without fractions, numbers with four digits that say something."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, str) and len(value) >= len("2024-01-01T00:00:00") and value[10:11] == "T":
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return str(value)


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "not known"


def _percent(value: float, digits: int = 1) -> str:
    return f"{value * 100:.{digits}f}%" if math.isfinite(value) else "not known"


