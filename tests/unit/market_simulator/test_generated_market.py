"""The invented market: the same for a seed, plausible, and consistent across lengths of bars."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tracker.domain.bar import Bar
from tracker.domain.errors import InputError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.config import load_toml
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.universe import load_universe

from services.market_simulator.bars import CLOSE, HIGH, LOW, OPEN, TRADES, TS, VOLUME, VWAP, Bars, Floats
from services.market_simulator.generated import GeneratedMarket, generated_market
from services.market_simulator.minutes import Instrument
from services.market_simulator.paging import Range, read_page
from services.market_simulator.parameters import MarketParameters

DAY = 86_400
MONDAY = 20_514 * DAY  # 2026-03-02
UNIVERSE = load_universe(PROJECT_ROOT / "configs" / "universe.toml")
PARAMETERS = load_toml(PROJECT_ROOT / "configs" / "market_simulator.toml", MarketParameters)


def market(seed: int = 7) -> GeneratedMarket:
    return generated_market(PARAMETERS.model_copy(update={"seed": seed}), UNIVERSE)


@cache
def shared() -> GeneratedMarket:
    return market()


def minutes(symbol: str, days: int, source: GeneratedMarket | None = None) -> Floats:
    return (source or shared()).rows(symbol, 60, MONDAY, MONDAY + days * DAY).table


def test_the_vendor_lists_all_but_six() -> None:
    assert len(UNIVERSE.symbol) == 90
    assert len(shared().listings) == 84
    assert not {f"X:{name}USD" for name in ("FARTCOIN", "MOG", "PONKE", "TREMP", "BRETT", "HIPPO")} & set(
        shared().listings
    )


def test_a_seed_makes_one_market_whatever_was_asked_before() -> None:
    asked_forwards, asked_backwards = market(), market()
    forwards = [minutes(symbol, 2, asked_forwards) for symbol in ("BTC-USD", "PEPE-USD")]
    list(asked_backwards.frames(MONDAY + DAY, MONDAY + DAY + 120))
    backwards = [minutes(symbol, 2, asked_backwards) for symbol in ("PEPE-USD", "BTC-USD")][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(minutes("BTC-USD", 1, market(8)), minutes("BTC-USD", 1))


def test_a_symbol_does_not_depend_on_which_others_are_listed() -> None:
    alone = generated_market(PARAMETERS.model_copy(update={"seed": 7}), UNIVERSE, ["SOL-USD"])
    assert np.array_equal(minutes("SOL-USD", 1, alone), minutes("SOL-USD", 1))


def test_an_unlisted_symbol_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match="MOG-USD"):
        generated_market(PARAMETERS, UNIVERSE, ["MOG-USD"])


@pytest.mark.parametrize("symbol", ["BTC-USD", "ADA-USD", "SKL-USD", "SHIB-USD", "YFI-USD"])
def test_every_bar_is_possible_and_its_vwap_lies_within(symbol: str) -> None:
    table = minutes(symbol, 1)
    for column in table.T.tolist():
        bar = Bar(
            symbol=symbol, timeframe=Timeframe.M1, ts=EPOCH + Timeframe.M1.duration * int(column[TS] // 60),
            open=column[OPEN], high=column[HIGH], low=column[LOW], close=column[CLOSE], volume=column[VOLUME],
        )
        assert bar.defect() is None
    assert (table[LOW] <= table[VWAP]).all()
    assert (table[VWAP] <= table[HIGH]).all()
    assert (table[VOLUME] > 0).all()
    assert (table[TRADES] >= 1).all()


def test_prices_stand_on_a_sensible_tick_and_near_their_reference() -> None:
    for symbol, own in PARAMETERS.symbol.items():
        price = minutes(symbol, 1)[CLOSE, 0]
        assert own.reference_price / 12 < price < own.reference_price * 12
        tick = 10.0 ** -Instrument.of(PARAMETERS.tier["mid"], own.reference_price).decimals
        assert 1e-7 < tick / own.reference_price < 1e-4
        assert len(str(float(price))) < 12


def test_coins_move_together_but_not_in_step() -> None:
    returns = {
        symbol: np.diff(np.log(shared().rows(symbol, 3600, MONDAY - 60 * DAY, MONDAY).table[CLOSE]))
        for symbol in ("BTC-USD", "ETH-USD", "WIF-USD")
    }
    with_ether = np.corrcoef(returns["BTC-USD"], returns["ETH-USD"])[0, 1]
    with_meme = np.corrcoef(returns["BTC-USD"], returns["WIF-USD"])[0, 1]
    assert 0.6 < with_ether < 0.98
    assert 0.15 < with_meme < with_ether


def test_returns_have_fat_tails_and_memes_are_wilder_than_large_coins() -> None:
    steps = {
        symbol: np.diff(np.log(shared().rows(symbol, 60, MONDAY - 8 * DAY, MONDAY).table[CLOSE]))
        for symbol in ("BTC-USD", "BONK-USD")
    }
    kurtosis = np.mean((steps["BTC-USD"] / steps["BTC-USD"].std()) ** 4)
    assert kurtosis > 5
    assert steps["BONK-USD"].std() > 1.5 * steps["BTC-USD"].std()


def test_quiet_minutes_are_rare_for_large_coins_and_usual_for_memes() -> None:
    quiet = {
        symbol: 1 - minutes(symbol, 7).shape[1] / (7 * 1440) for symbol in ("BTC-USD", "XLM-USD", "WIF-USD")
    }
    assert quiet["BTC-USD"] == 0
    assert quiet["XLM-USD"] < 0.003
    assert 0.08 < quiet["WIF-USD"] < 0.16


@pytest.mark.parametrize("span", [300, 900, 3600, DAY, 4 * 3600])
@pytest.mark.parametrize("symbol", ["BTC-USD", "MEW-USD"])
def test_longer_bars_are_exact_roll_ups_of_the_minutes(symbol: str, span: int) -> None:
    wanted = Range(symbol=symbol, span=span, start=MONDAY, end=MONDAY + 3 * DAY, limit=50_000)
    rolled = read_page(shared(), wanted).bars.table
    table = minutes(symbol, 3)
    assert rolled.shape[1] == 3 * DAY // span
    for column in rolled.T:
        inside = table[:, (table[TS] >= column[TS]) & (table[TS] < column[TS] + span)]
        expected = [
            inside[OPEN, 0], inside[HIGH].max(), inside[LOW].min(), inside[CLOSE, -1],
            sum(inside[VOLUME].tolist()), sum(inside[VOLUME][::-1].tolist()), inside[TRADES].sum(),
        ]
        assert column[[OPEN, HIGH, LOW, CLOSE, VOLUME, VOLUME, TRADES]].tolist() == expected
        assert column[LOW] <= column[VWAP] <= column[HIGH]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("span", "limit"), [(60, 1), (60, 997), (900, 100), (3600, 500), (DAY, 2)])
def test_pages_join_to_the_whole_range(span: int, limit: int, *, descending: bool) -> None:
    start, end = MONDAY, MONDAY + (DAY // 96 if limit == 1 else 5 * DAY)
    whole = read_page(shared(), Range(symbol="MEW-USD", span=span, start=start, end=end, limit=50_000)).bars
    parts: list[Bars] = []
    low, high = start, end
    while True:
        wanted = Range(symbol="MEW-USD", span=span, start=low, end=high, limit=limit, descending=descending)
        page = read_page(shared(), wanted)
        assert len(page.bars) > 0
        parts.append(page.bars)
        if page.resume is None:
            break
        low, high = (low, page.resume) if descending else (page.resume, high)
    if descending:
        parts.reverse()
    assert np.array_equal(np.concatenate([part.table for part in parts], axis=1), whole.table)


def test_frames_hold_each_minute_of_rest_and_no_quiet_symbol() -> None:
    frames = list(shared().frames(MONDAY, MONDAY + 600))
    assert [frame.close for frame in frames] == list(range(MONDAY + 60, MONDAY + 660, 60))
    meme = minutes("WIF-USD", 1)
    sent = [bar for frame in frames for bar in frame.bars if bar["pair"] == "WIF-USD"]
    expected = meme[:, meme[TS] < MONDAY + 600]
    assert [bar["s"] // 1000 for bar in sent] == expected[TS].tolist()
    assert [bar["c"] for bar in sent] == expected[CLOSE].tolist()


def test_a_correction_changes_every_length_of_bar() -> None:
    source = market()
    before = minutes("ETH-USD", 1, source)[:, 9]
    hour_before = source.rows("ETH-USD", 3600, MONDAY, MONDAY + 3600).table[VOLUME, 0]
    (frame,) = source.correct("ETH-USD", MONDAY + 600, 1)
    after = minutes("ETH-USD", 1, source)[:, 9]
    assert frame.close == MONDAY + 600
    assert after[CLOSE] != before[CLOSE]
    assert frame.bars[0]["c"] == after[CLOSE]
    hour = source.rows("ETH-USD", 3600, MONDAY, MONDAY + 3600).table[VOLUME, 0]
    assert hour == hour_before + after[VOLUME] - before[VOLUME]
