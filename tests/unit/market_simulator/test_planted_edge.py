"""An edge by the hour of day, that the invented market may hold: off by default, a sine where it is on."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from tracker.domain.errors import ConfigError, InputError
from tracker.runtime.config import load_toml, read_toml, shaped
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.universe import load_universe

from services.market_simulator.bars import CLOSE, HIGH, LOW, OPEN, VWAP, Floats
from services.market_simulator.edge import edge_levels
from services.market_simulator.generated import DAY, HOUR, MINUTE, GeneratedMarket, generated_market
from services.market_simulator.parameters import EdgeParameters, MarketParameters
from services.market_simulator.server import planted_edge
from services.market_simulator.settings import MarketSimulatorSettings

FIRST = date(2026, 3, 2)
MONDAY = (FIRST - date(1970, 1, 1)).days * DAY
PATH = PROJECT_ROOT / "configs" / "market_simulator.toml"
UNIVERSE = load_universe(PROJECT_ROOT / "configs" / "universe.toml")
PARAMETERS = load_toml(PATH, MarketParameters)
STRENGTH = 0.04
# Two days of minutes of seed 7, all columns.
KNOWN = {
    "BTC-USD": "ecb18aea32c9a831add5bfdc390c8e7dec98f5320e276466e31acbab8ddb9f54",
    "PEPE-USD": "e30a217cfa3adc1ccc70389c62c9b55dd8aa097371baaf12716c6ed1da92a522",
}


def market(edge: EdgeParameters | None) -> GeneratedMarket:
    parameters = PARAMETERS.model_copy(update={"seed": 7, "edge": edge})
    return generated_market(parameters, UNIVERSE, list(KNOWN))


def minutes(source: GeneratedMarket, symbol: str, days: int = 1, start: int = MONDAY) -> Floats:
    return source.rows(symbol, MINUTE, start, start + days * DAY).table


def settings(**values: Any) -> MarketSimulatorSettings:
    return MarketSimulatorSettings(**{f"MARKET_SIMULATOR_{name.upper()}": value for name, value in values.items()})


def test_no_edge_is_planted_where_nobody_asks_and_bars_are_those_they_always_were() -> None:
    assert PARAMETERS.edge is None
    for symbol, known in KNOWN.items():
        assert hashlib.sha256(minutes(market(None), symbol, 2).tobytes()).hexdigest() == known


def test_prices_follow_the_hour_and_are_otherwise_what_they_were() -> None:
    plain, planted = market(None), market(EdgeParameters(strength=STRENGTH))
    for symbol in KNOWN:
        one, other = minutes(plain, symbol), minutes(planted, symbol)
        assert np.array_equal(one[0], other[0])
        place = ((one[0] - MONDAY) // MINUTE).astype(np.intp) + 1
        assert np.log(other[CLOSE] / one[CLOSE]) == pytest.approx(edge_levels(STRENGTH)[place], abs=1e-4)
        assert (other[HIGH] >= np.maximum(other[OPEN], other[CLOSE])).all()
        assert (other[LOW] <= np.minimum(other[OPEN], other[CLOSE])).all()
        assert ((other[LOW] <= other[VWAP]) & (other[VWAP] <= other[HIGH])).all()


@pytest.mark.parametrize("cycles", [1, 2])
def test_an_hours_mean_return_is_the_sine_and_a_day_sums_to_nothing(cycles: int) -> None:
    days = 250
    planted = market(EdgeParameters(strength=STRENGTH, cycles=cycles))
    bars = planted.rows("BTC-USD", HOUR, MONDAY, MONDAY + days * DAY).table
    returns = np.log(bars[CLOSE] / bars[OPEN]).reshape(days, 24)
    wanted = np.diff(edge_levels(STRENGTH, cycles)[::60])
    error = returns.std(axis=0) / days**0.5
    assert (np.abs(returns.mean(axis=0) - wanted) < 4 * error).all()
    assert wanted.max() > 8 * error.max()
    sine = np.sin(2 * np.pi * cycles * (np.arange(24) + 0.5) / 24)
    assert wanted == pytest.approx(STRENGTH * np.pi * cycles / 24 * sine, rel=0.02)
    assert wanted.sum() == pytest.approx(0, abs=1e-12)
    plain = market(None).rows("BTC-USD", HOUR, MONDAY, MONDAY + days * DAY).table
    assert np.array_equal(bars[CLOSE, 23::24], plain[CLOSE, 23::24])


def test_the_edge_is_there_from_its_first_day_through_its_last_alone() -> None:
    edge = EdgeParameters(strength=STRENGTH, first_day=FIRST + timedelta(days=1), last_day=FIRST + timedelta(days=2))
    plain, planted = market(None), market(edge)
    starts = [MONDAY + day * DAY for day in range(4)]
    same = [
        np.array_equal(minutes(plain, "BTC-USD", start=start), minutes(planted, "BTC-USD", start=start))
        for start in starts
    ]
    assert same == [True, False, False, True]


def test_the_stream_and_longer_bars_say_what_the_minutes_say() -> None:
    planted = market(EdgeParameters(strength=STRENGTH))
    sent = [bar for frame in planted.frames(MONDAY, MONDAY + HOUR) for bar in frame.bars if bar["pair"] == "BTC-USD"]
    table = minutes(market(EdgeParameters(strength=STRENGTH)), "BTC-USD")[:, :60]
    assert [bar["c"] for bar in sent] == table[CLOSE].tolist()
    hour = planted.rows("BTC-USD", HOUR, MONDAY, MONDAY + HOUR).table[:, 0]
    assert hour[[OPEN, HIGH, LOW, CLOSE]].tolist() == [
        table[OPEN, 0], table[HIGH].max(), table[LOW].min(), table[CLOSE, -1],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ({"strength": 0}, r"edge\.strength = 0: "),
        ({"strength": 0.5}, r"edge\.strength = 0\.5: "),
        ({"strength": 0.04, "cycles": 13}, r"edge\.cycles = 13: "),
        ({"first_day": FIRST}, r"edge\.strength is missing"),
        ({"strength": 0.04, "day": FIRST}, r"unknown key edge\.day"),
        (
            {"strength": 0.04, "first_day": FIRST, "last_day": FIRST - timedelta(days=1)},
            r"edge\.last_day = 2026-03-01: lies before first_day, 2026-03-02",
        ),
    ],
)
def test_what_cannot_be_is_named(edge: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shaped("market_simulator.toml", read_toml(PATH) | {"edge": edge}, MarketParameters)


@pytest.mark.parametrize(
    ("said", "configured", "wanted"),
    [
        ({}, None, None),
        ({}, 0.03, EdgeParameters(strength=0.03)),
        ({"edge": "0.05"}, None, EdgeParameters(strength=0.05)),
        ({"edge": "0"}, 0.03, None),
        ({"edge_cycles": "3"}, 0.03, EdgeParameters(strength=0.03, cycles=3)),
        ({"edge_last_day": "2026-03-02"}, 0.03, EdgeParameters(strength=0.03, last_day=FIRST)),
        ({"edge": "0.05", "edge_first_day": "2026-03-02"}, 0.03, EdgeParameters(strength=0.05, first_day=FIRST)),
    ],
)
def test_settings_lie_over_the_configuration(
    said: dict[str, str], configured: float | None, wanted: EdgeParameters | None
) -> None:
    known = None if configured is None else EdgeParameters(strength=configured)
    assert planted_edge(settings(**said), known) == wanted


@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        ({"edge_last_day": "2026-03-02"}, InputError, "edge_last_day = 2026-03-02: there is no edge"),
        ({"edge": "0.3"}, ConfigError, r"edge: strength = 0\.3"),
        (
            {"edge": "0.04", "edge_first_day": "2026-03-02", "edge_last_day": "2026-03-01"},
            ConfigError, "edge: last_day = 2026-03-01: lies before first_day",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_named(said: dict[str, str], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        planted_edge(settings(**said), None)
