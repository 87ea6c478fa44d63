"""Whole rows: closed contexts only, the market at the same close only, the same bits in any batch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant_builders import H1, M15, START, column, past_of, walk
from tracker.quant.bars import BarArrays
from tracker.quant.feature_rows import ContextTable, FeatureRows, SymbolPast, closed_context, feature_rows
from tracker.quant.features import CONTEXTS, FEATURE_SET, FEATURE_SPECS, Origin
from tracker.quant.features.clock import clock_column
from tracker.quant.features.market import (
    TOGETHER_NAMES,
    own_names_of,
    reference_of,
    together_columns,
)
from tracker.quant.windows import BLOCK_BARS, anchor_seconds

M5 = 300
BLOCK = 1_900 * BLOCK_BARS * M15
# Fine bars around the begin of a block of quarters, so that batches reach over it.
FIRST = BLOCK - 400 * M15
BTC, ALT, HOLED, YOUNG = 1, 2, 3, 4


def without(bars: BarArrays, first: int, stop: int) -> BarArrays:
    keep = np.ones(len(bars), dtype=bool)
    keep[first:stop] = False
    return BarArrays(**{name: getattr(bars, name)[keep] for name in BarArrays.__dataclass_fields__})


def together(alt: BarArrays) -> BarArrays:
    """Return bars that move twice as far as those of BTC, and a little on their own."""
    market = walk(3_600, seed=1, start=FIRST, step=M5)
    close = market.close**2 * (alt.close / alt.close[0]) ** 0.2
    return replace(alt, open=close, high=close * 1.001, low=close * 0.999, close=close)


FINE = {
    BTC: without(walk(3_600, seed=1, start=FIRST, step=M5), 2_400, 2_430),
    ALT: together(walk(3_600, seed=2, start=FIRST, step=M5)),
    HOLED: without(walk(3_600, seed=3, start=FIRST, step=M5, price=1e-6), 1_500, 2_500),
    YOUNG: walk(1_200, seed=4, start=FIRST + 2_400 * M5, step=M5),
}
PASTS = {key: past_of(fine) for key, fine in FINE.items()}
WHOLE = feature_rows(PASTS, M15, 0, reference=BTC)
END = max(int(each.bars.ts[-1]) for each in PASTS.values())
NAMES = FEATURE_SET.names


def batch(first: int, count: int, **changes: object) -> dict[int, FeatureRows]:
    """Return the rows of the bars that open in [first, first + count), from no more than they need."""
    end = first + count * M15
    pasts = {}
    for key, past in PASTS.items():
        start, stop = np.searchsorted(past.bars.ts, (anchor_seconds(first, M15), end))
        contexts = {
            origin: ContextTable(
                closes=table.closes[table.closes <= end],
                names=table.names,
                values=table.values[table.closes <= end],
            )
            for origin, table in past.contexts.items()
        }
        pasts[key] = SymbolPast(bars=past.bars.slice(int(start), int(stop)), contexts=contexts)
    return feature_rows(pasts, M15, first, reference=BTC, **changes)


def value(rows: FeatureRows, name: str, ts: int) -> float:
    return float(rows.values[int(np.searchsorted(rows.ts, ts)), NAMES.index(name)])


@pytest.mark.parametrize("count", [1, 7, 500])
def test_batches_of_any_size_have_the_same_bits(count: int) -> None:
    begin = BLOCK - 10 * M15 if count < 500 else FIRST
    step = count * (5 if count == 1 else 1)
    for number in range(0, min(1_100, 60 * step), step):
        first = begin + number * M15
        if first > END:
            break
        for key, rows in batch(first, count).items():
            start, stop = np.searchsorted(WHOLE[key].ts, (first, first + count * M15))
            assert rows.ts.tolist() == WHOLE[key].ts[start:stop].tolist()
            assert rows.values.tobytes() == WHOLE[key].values[start:stop].tobytes(), (key, number)


@given(names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1), first=st.integers(0, 1_190))
@settings(max_examples=40, deadline=None)
def test_some_features_are_those_of_the_whole_set(names: list[str], first: int) -> None:
    places = [NAMES.index(name) for name in names]
    for key, rows in batch(FIRST + first * M15, 3, names=names).items():
        start = int(np.searchsorted(WHOLE[key].ts, FIRST + first * M15))
        assert rows.values.tobytes() == WHOLE[key].values[start : start + len(rows.ts)][:, places].tobytes()


def test_what_comes_after_a_close_changes_nothing_at_it() -> None:
    end = BLOCK + 200 * M15
    spoiled = {}
    for key, fine in FINE.items():
        later = fine.ts >= end
        columns = {
            name: np.where(later, getattr(fine, name) * 3.0, getattr(fine, name))
            for name in ("open", "high", "low", "close", "volume")
        }
        spoiled[key] = past_of(replace(fine, **columns))
    rows = feature_rows(spoiled, M15, 0, reference=BTC)
    for key, whole in WHOLE.items():
        count = int(np.searchsorted(whole.ts, end))
        assert rows[key].values[:count].tobytes() == whole.values[:count].tobytes()
        assert rows[key].values.tobytes() != whole.values.tobytes()


def test_every_feature_is_known_once_its_bars_are_there() -> None:
    for key in (BTC, ALT):
        for index, spec in enumerate(FEATURE_SPECS):
            if spec.origin is Origin.DAY and spec.warmup_bars > 9:
                continue
            later = WHOLE[key].ts >= BLOCK + 700 * M15
            assert later.any()
            assert np.isfinite(WHOLE[key].values[later, index]).all(), (key, spec.name)


def test_a_missing_symbol_leaves_the_others_finite() -> None:
    gap = BLOCK - 400 * M15 + 805 * M15
    assert gap not in WHOLE[BTC].ts
    assert gap in WHOLE[ALT].ts
    for name in (*TOGETHER_NAMES, "rsi_14", "h1_rsi_14"):
        assert math.isfinite(value(WHOLE[ALT], name, gap)), name
    # Nobody knows what a symbol's beta is at a close at which BTC has no bar.
    assert math.isnan(value(WHOLE[ALT], "btc_beta_96", gap))
    assert math.isfinite(value(WHOLE[ALT], "btc_beta_96", gap + 20 * M15))


def test_beta_and_correlation_follow_their_formulas() -> None:
    btc, alt = (100 * np.diff(np.log(PASTS[key].bars.close[:700])) for key in (BTC, ALT))
    assert PASTS[BTC].bars.ts[699] == PASTS[ALT].bars.ts[699]
    mine, market = alt[-96:], btc[-96:]
    ts = int(PASTS[ALT].bars.ts[699])
    assert value(WHOLE[ALT], "btc_correlation_96", ts) == pytest.approx(np.corrcoef(mine, market)[0, 1], rel=1e-5)
    slope = np.polyfit(market, mine, 1)[0]
    assert value(WHOLE[ALT], "btc_beta_96", ts) == pytest.approx(slope, rel=1e-5)
    assert 1.5 < slope < 2.5
    assert value(WHOLE[BTC], "btc_beta_96", ts) == value(WHOLE[BTC], "btc_correlation_96", ts) == 1.0


@pytest.mark.parametrize("still", [BTC, ALT])
def test_who_does_not_move_has_no_beta(still: int) -> None:
    bars = PASTS[still].bars
    prices = ("open", "high", "low", "close")
    dead = {name: np.where(bars.ts >= BLOCK, bars.close[0], getattr(bars, name)) for name in prices}
    pasts = {**PASTS, still: replace(PASTS[still], bars=replace(bars, **dead))}
    rows = feature_rows(pasts, M15, END - 50 * M15, reference=BTC)[ALT]
    for name in ("btc_beta_96", "btc_correlation_96"):
        assert (rows.values[:, NAMES.index(name)] == 0).all()


def test_alone_a_symbol_is_the_market() -> None:
    for reference in (None, HOLED):
        rows = feature_rows({HOLED: PASTS[HOLED]}, M15, END - 20 * M15, reference=reference)[HOLED]
        expected = {
            "btc_beta_96": 1.0, "btc_correlation_96": 1.0, "return_rank_16": 0.5, "volume_rank": 0.5,
            "volatility_rank": 0.5, "relative_return_16": 0.0,
        }
        for name, number in expected.items():
            assert (rows.values[:, NAMES.index(name)] == number).all(), name
        above = rows.values[:, NAMES.index("ema_21_distance")] > 0
        np.testing.assert_array_equal(rows.values[:, NAMES.index("breadth_ema_21")], above)


def test_a_universe_whose_reference_has_no_bars_waits() -> None:
    rows = feature_rows({ALT: PASTS[ALT]}, M15, END, reference=BTC)[ALT]
    assert np.isnan(rows.values[:, NAMES.index("btc_beta_96")]).all()
    assert np.isfinite(rows.values[:, NAMES.index("return_rank_16")]).all()


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (("ETH-BTC", "BTC-USD", "BTC-PERP"), "BTC-USD"),
        (("BTC-PERP", "ETH-USD"), "BTC-PERP"),
        (("ETH-BTC", "ADA-BTC"), None),
        ((), None),
    ],
)
def test_the_reference_is_bitcoin_in_dollars(symbols: tuple[str, ...], expected: str | None) -> None:
    numbered = {name: number for number, name in enumerate(symbols)}
    assert reference_of(numbered) == (None if expected is None else numbered[expected])


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_ranks_shares_and_means_follow_their_formulas(data: st.DataObject) -> None:
    numbers = st.one_of(st.just(math.nan), st.sampled_from([-2.0, 0.0, 1.0, 1.5]), st.floats(-50, 50, width=32))
    stamps, own = [], []
    for _ in range(data.draw(st.integers(1, 5))):
        ts = data.draw(st.lists(st.integers(0, 4), unique=True, max_size=5).map(sorted))
        stamps.append(np.array(ts, dtype=np.int64))
        values = data.draw(st.lists(numbers, min_size=len(ts), max_size=len(ts)))
        own.append({each: np.array(values, dtype=np.float32) for name in TOGETHER_NAMES for each in own_names_of(name)})
    found = together_columns(stamps, own, TOGETHER_NAMES)
    for symbol, ts in enumerate(stamps):
        for row, moment in enumerate(ts):
            at = [float(own[k]["natr_14"][list(s).index(moment)]) for k, s in enumerate(stamps) if moment in s]
            known = [each for each in at if math.isfinite(each)]
            mine = float(own[symbol]["natr_14"][row])
            got = {name: float(found[symbol][name][row]) for name in TOGETHER_NAMES}
            if not known:
                assert all(math.isnan(each) for each in got.values())
                continue
            assert got["breadth_ema_21"] == pytest.approx(sum(each > 0 for each in known) / len(known))
            mean = sum(known) / len(known)
            assert got["market_return_16"] == pytest.approx(mean, rel=1e-5, abs=1e-5)
            if math.isnan(mine):
                assert math.isnan(got["volume_rank"])
                assert math.isnan(got["relative_return_16"])
                continue
            below, equal = sum(each < mine for each in known), sum(each == mine for each in known)
            assert got["volume_rank"] == pytest.approx((below + equal / 2) / len(known))
            assert got["relative_return_16"] == pytest.approx(mine - mean, rel=1e-4, abs=1e-4)


# Three hourly bars, the third missing, then one more; each carries its own number.
HOURS = ContextTable(
    closes=np.array([START + H1, START + 2 * H1, START + 4 * H1], dtype=np.int64),
    names=("rsi_14",),
    values=np.array([[0.0], [1.0], [3.0]], dtype=np.float32),
)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, np.nan), (59, np.nan), (60, 0.0), (75, 0.0), (119, 0.0), (120, 1.0), (180, 1.0), (239, 1.0), (240, 3.0),
        (360, 3.0), (361, np.nan),
    ],
)  # fmt: skip
def test_context_is_the_latest_closed_hour(minutes: int, expected: float) -> None:
    decided_at = np.array([START + minutes * 60], dtype=np.int64)
    np.testing.assert_array_equal(closed_context(decided_at, HOURS, 7200), [[expected]])


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda each: each.prefix)
def test_a_row_holds_the_features_of_the_closed_bar(context: object) -> None:
    assert context in CONTEXTS
    longer = next(each for each in CONTEXTS if each is context)
    seconds = longer.timeframe.seconds
    name = "rsi_14" if longer.origin is Origin.HOUR else "log_return_1"
    moment = BLOCK + 790 * M15
    latest = PASTS[ALT].contexts[longer.origin]
    row = int(np.searchsorted(latest.closes, moment + M15, side="right")) - 1
    assert moment + M15 - seconds < latest.closes[row] <= moment + M15
    assert value(WHOLE[ALT], longer.prefix + name, moment) == latest.values[row, latest.names.index(name)]


def test_a_symbol_without_longer_bars_has_no_context() -> None:
    rows = feature_rows({1: SymbolPast(bars=walk(300), contexts={})}, M15, 0, reference=None)[1]
    for context in CONTEXTS:
        for name in context.stored_names:
            assert np.isnan(rows.values[:, NAMES.index(name)]).all()
    np.testing.assert_array_equal(rows.values[:, NAMES.index("rsi_14")], column(walk(300), "rsi_14"))


@pytest.mark.parametrize(
    ("name", "seconds", "expected"),
    [
        ("hour_sin", 6 * H1, 1.0),
        ("hour_cos", 12 * H1, -1.0),
        ("hour_cos", 0, 1.0),
        ("weekday_cos", 4 * 24 * H1, 1.0),
        ("weekday_sin", 0, math.sin(2 * math.pi * 3 / 7)),
        ("weekday_sin", 24 * H1 - 60, math.sin(2 * math.pi * 3 / 7)),
    ],
)
def test_the_time_of_the_close(name: str, seconds: int, expected: float) -> None:
    # The epoch was a Thursday.
    assert clock_column(name, np.array([seconds]))[0] == pytest.approx(expected, abs=1e-6)
