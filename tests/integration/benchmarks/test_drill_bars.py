"""A drill's market of bars is what `tracker labels build` makes of the same bars in a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields

import numpy as np
from tracker.domain.signal import Strategy
from tracker.quant.learning.samples import DAY, settled
from tracker.runtime.config import load_toml
from tracker.runtime.model_data import LabelsOf, moment, read_samples
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.testing.model_drill import DrillPlan

from benchmarks.drill_bars import CONFIGS, TAIL_DAYS, WARM_UP_DAYS, market_from_bars, work_of
from benchmarks.labels import fill
from services.control.labels import LabelsRequest, build_at
from services.control.settings import ControlSettings
from services.market_simulator.generated import generated_day
from services.market_simulator.parameters import MarketParameters

STRATEGY = Strategy("dca")


async def test_bars_alone_make_the_samples_that_the_fleet_learns_from(
    database_url: str, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    parameters = load_toml(CONFIGS / "market_simulator.toml", MarketParameters)
    start = (generated_day(parameters.first_day) + WARM_UP_DAYS) * DAY
    plan = DrillPlan(
        seed=parameters.seed, edge=0.0, strategy=STRATEGY, start=start, symbols=1, learn_days=10, shadow_days=0,
        good_days=1, bad_days=1,
    )  # fmt: skip
    await fill(database_url, plan.symbols, WARM_UP_DAYS + plan.last_day + TAIL_DAYS)
    begin, end = moment(start), moment(start + plan.last_day * DAY)
    settings = load_settings(ControlSettings, {"database_url": database_url})
    await build_at(
        database_url, settings, LabelsRequest(strategy=STRATEGY, first=begin, end=end, since_last=False)
    )
    work = work_of(STRATEGY)
    which = LabelsOf(
        strategy=STRATEGY, config_hash=work.config.hash, timeframe=work.config.timeframe, signals_only=False
    )
    async with (await open_database(None)).transaction() as transaction:
        stored = await read_samples(transaction, which, begin, end)
    made = settled(market_from_bars(plan))
    assert len(made) > 50
    assert made.names == stored.names
    assert (made.symbol + 1 == stored.symbol).all()
    for name in {each.name for each in fields(made)} - {"names", "symbol", "weight"}:
        np.testing.assert_array_equal(getattr(made, name), getattr(stored, name), name)
    np.testing.assert_allclose(made.weight, stored.weight, atol=1e-8)
