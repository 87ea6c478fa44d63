"""One symbol's chart as a viewer has chosen it, kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.pages.market import (
    Candles,
    CandleTail,
    FeatureColumns,
    SymbolTrading,
    read_candles,
    read_feature_columns,
    read_symbol_trading,
    read_watched,
)

from services.dashboard import formats
from services.dashboard.candle_chart import CandleChart
from services.dashboard.charts.candles import MOST_BARS, Life, Mark, MarkKind, candle_options, with_running
from services.dashboard.charts.overlays import Floats, Line, needed_features, overlay_lines
from services.dashboard.elements.chart import PALETTE
from services.dashboard.reader import Question, Reader, Watch

WATCHED = Question(read=read_watched, seconds=30.0, with_bars=False)
# A symbol's bar is there up to three seconds before its minute is complete for all of them.
CANDLES = Question(read=read_candles, seconds=0.9)
TRADING = Question(read=read_symbol_trading, seconds=10.0)
FEATURES = Question(read=read_feature_columns, seconds=30.0)
# Moments from which marks are asked for are rounded, so that viewers of the same chart ask the same.
ROUNDED_BARS = 100
MOST_EVENTS = 12



@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a viewer wants to see: overlays on the price by their names, one feature below it."""

    symbol: str
    timeframe: Timeframe
    over: tuple[str, ...] = ()
    below: str | None = None


class MarketPanel:
    """Follows bars, features and trading of one symbol, and draws what has changed."""

    def __init__(
        self,
        reader: Reader,
        account: str | None,
        chart: CandleChart,
        happened: Callable[[SymbolTrading], None],
    ) -> None:
        """Belong to the page that is being built; `happened` is told of signals and fills as they are drawn."""
        self._happened = happened
        self._account = account
        self._chart = chart
        self._choice: Choice | None = None
        self._candles: Watch[CandleTail] = Watch(reader, self._set_candles)
        self._traded: Watch[SymbolTrading] = Watch(reader, self._set_trading)
        self._computed: Watch[FeatureColumns] = Watch(reader, self._set_features)
        self._bars = Candles()
        self._trading = SymbolTrading()
        self._features: FeatureColumns = {}
        self._is_ready = False
        self._panes = 0

    @property
    def bars(self) -> Candles:
        """The bars that are drawn, the running one among them."""
        return self._bars

    @property
    def features(self) -> FeatureColumns:
        """The features that are drawn."""
        return self._features

    async def show(self, choice: Choice) -> None:
        """Draw another chart, and follow that from now on; of choices faster than answers the last one counts."""
        self._is_ready = False
        self._choice = choice
        await self._candles.ask_for(CANDLES, choice.symbol, choice.timeframe, MOST_BARS)
        if self._choice is not choice:
            return
        since = first_moment(self._bars, choice.timeframe)
        await self._traded.ask_for(TRADING, choice.symbol, self._account, since)
        if self._choice is not choice:
            return
        await self._computed.ask_for(FEATURES, choice.symbol, choice.timeframe, features_of(choice), since)
        if self._choice is choice:
            self._is_ready = True
            self._draw()

    def _set_candles(self, tail: CandleTail) -> None:
        assert self._choice is not None  # noqa: S101 - nothing is followed before something was chosen
        self._bars = with_running(tail, self._choice.timeframe)
        if self._is_ready and not self._chart.follow(self._bars):
            self._draw()

    def _set_trading(self, trading: SymbolTrading) -> None:
        self._trading = trading
        self._happened(trading)
        self._replace()

    def _set_features(self, features: FeatureColumns) -> None:
        self._features = features
        self._replace()

    def _draw(self) -> None:
        options = self._options()
        self._panes = len(options["grid"])
        self._chart.draw_bars(self._bars, options)

    def _replace(self) -> None:
        if not self._is_ready:
            return
        options = self._options()
        if len(options["grid"]) == self._panes:
            self._chart.replace_series(options["series"])
        else:
            self._draw()

    def _options(self) -> dict[str, Any]:
        choice = self._choice
        assert choice is not None  # noqa: S101 - nothing is drawn before something was chosen
        columns = aligned(self._features, self._bars)
        close = np.array(self._bars.close)
        over = overlay_lines(choice.over, close, columns) if columns else []
        below = [] if choice.below not in columns else [below_line(choice.below, columns[choice.below])]
        now = (self._bars.ts[-1] + choice.timeframe.seconds) if self._bars.ts else 0
        return candle_options(
            self._bars, choice.timeframe, marks=marks_of(self._trading), lives=lives_of(self._trading, now),
            over=over, below=below,
        )  # fmt: skip


def features_of(choice: Choice) -> tuple[str, ...]:
    """Return the features that a chart is drawn with, in an order of their own."""
    return tuple(sorted({*needed_features(choice.over), *((choice.below,) if choice.below else ())}))


def first_moment(bars: Candles, timeframe: Timeframe) -> datetime:
    """Return a moment somewhat before the first bar, the same one over many bars."""
    first = bars.ts[0] if bars.ts else 0
    step = ROUNDED_BARS * timeframe.seconds
    return EPOCH + timedelta(seconds=first // step * step)


def aligned(features: FeatureColumns, bars: Candles) -> dict[str, Floats]:
    """Return each feature as a column (n,) beside the n bars, NaN where it is not known."""
    made: dict[str, Floats] = {}
    for name, (stamps, values) in features.items():
        by_open = dict(zip(stamps, values, strict=True))
        found = [by_open.get(at) for at in bars.ts]
        made[name] = np.array([np.nan if each is None else each for each in found], dtype=np.float64)
    return made


def below_line(name: str, values: Floats) -> Line:
    """Return a feature as a line."""
    return Line(name=formats.words(name), values=values, colour=PALETTE[3])


def marks_of(trading: SymbolTrading) -> list[Mark]:
    """Return signals and fills as marks on the chart."""
    signals = [
        Mark(
            kind=MarkKind.SIGNAL, at=each.decided_at.timestamp(), price=each.entry,
            says=f"{each.strategy} signal, strength {each.strength:.2f}{_confidence(each.confidence)}",
        )
        for each in trading.signals
    ]  # fmt: skip
    fills = [
        Mark(
            kind=MarkKind.BUY if each.side == "buy" else MarkKind.SELL, at=each.filled_at.timestamp(),
            price=each.price, says=f"{each.strategy} {_verb(each.side)} {each.quantity:.6g} at"
            f" {formats.price(each.price)} ({formats.words(each.leg)})",
        )
        for each in trading.fills
    ]  # fmt: skip
    return [*signals, *fills]


def events_of(trading: SymbolTrading) -> list[dict[str, Any]]:
    """Return signals and fills as rows, the newest first."""
    rows: list[dict[str, Any]] = [
        {"at": each.decided_at, "what": "signal", "strategy": each.strategy, "price": each.entry,
         "says": f"stop {formats.price(each.stop)}, target {formats.price(each.target)}"}
        for each in trading.signals
    ]  # fmt: skip
    rows += [
        {"at": each.filled_at, "what": _verb(each.side), "strategy": each.strategy, "price": each.price,
         "says": f"{each.quantity:.6g}, {formats.words(each.leg)}"}
        for each in trading.fills
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:MOST_EVENTS]


def lives_of(trading: SymbolTrading, now: float) -> list[Life]:
    """Return positions with what bounds them; one that lasts goes up to `now` (Unix seconds)."""
    return [
        Life(
            first=each.opened_at.timestamp(), last=now if each.closed_at is None else each.closed_at.timestamp(),
            entry=each.entry, stop=each.stop, initial_stop=each.initial_stop, target=each.target, says=each.strategy,
        )
        for each in trading.lives
    ]  # fmt: skip


def _confidence(value: float | None) -> str:
    return "" if value is None else f", confidence {value:.2f}"


def _verb(side: str) -> str:
    return "bought" if side == "buy" else "sold"
