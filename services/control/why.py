"""`tracker why`: one symbol's last look, from the bar to what each account made of it."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.runtime.effective_strategy import StrategyFile, load_file
from tracker.runtime.strategies import configured_strategies, load_rules, rule_of, scanned_strategies
from tracker.runtime.why_document import read_document
from tracker.store.database import Database
from tracker.store.paper import read_scan_watermarks
from tracker.store.symbols import read_symbols

from services.control.database_at_hand import asked_database
from services.control.settings import ControlSettings

ROLE = "tracker_reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRequest:
    """What was asked for on the command line; None: all strategies that look at the market, the last close."""

    symbol: str
    strategy: Strategy | None
    at: datetime | None
    replay: bool


def why(settings: ControlSettings, request: WhyRequest) -> list[dict[str, Any]]:
    """Return one document a strategy, of plain JSON values; docs/why.md says what the keys mean.

    Raises InputError for a symbol that is not in the database or without one, ConfigError for a strategy that there
    is not.
    """
    scanned = scanned_strategies(settings.config_dir)
    rules = load_rules(settings.strategies_dir)
    if request.strategy is None:
        names = configured_strategies(settings.config_dir)
    else:
        names = (rule_of(request.strategy, rules).name,)
    files = [load_file(settings.config_dir, each, rules) for each in names]
    with asked_database(settings, replay=request.replay) as url:
        return asyncio.run(read_why(url, request, files, scanned))


async def read_why(
    url: str, request: WhyRequest, files: Sequence[StrategyFile], scanned: Sequence[Strategy]
) -> list[dict[str, Any]]:
    """Return the documents from the database at `url`; `scanned` are the strategies that have a scanner."""
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:control")
    try:
        async with database.transaction() as transaction:
            instrument = _instrument(request.symbol, await read_symbols(transaction))
            looked = {*scanned, *await read_scan_watermarks(transaction)}
            chosen = [each for each in files if request.strategy is not None or each.config.strategy in looked]
            return [await read_document(transaction, each, scanned, instrument, request.at) for each in chosen]
    finally:
        await database.close()


def _instrument(symbol: str, known: Sequence[Instrument]) -> Instrument:
    found = next((each for each in known if each.symbol == symbol), None)
    if found is not None:
        return found
    near = difflib.get_close_matches(symbol, [each.symbol for each in known], n=3, cutoff=0.4)
    hint = f"; is it {' or '.join(near)}?" if near else ""
    raise InputError(f"SYMBOL: {symbol!r} is not in the database{hint}")
