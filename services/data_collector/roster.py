"""Which symbols of the universe the vendor knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.domain.errors import FeedError
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.runtime.universe import Universe
from tracker.store.database import Database, Transaction
from tracker.store.symbols import read_symbols, set_symbol_status, write_symbols

from services.data_collector.feeds.base import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The symbols to collect, the number of every known one, and why others are left out."""

    instruments: list[Instrument] = field(default_factory=list[Instrument])
    symbol_ids: Mapping[str, int] = field(default_factory=dict[str, int])
    unsupported: Mapping[str, str] = field(default_factory=dict[str, str])


async def call_roll(database: Database, feed: Feed, universe: Universe) -> Roster:
    """Write the universe down and leave out what the vendor does not know.

    Raises FeedError where it knows nothing at all, which says more about the answer than about the symbols.
    """
    wanted = universe.instruments()
    refused = await feed.supported(wanted)
    if len(refused) == len(wanted):
        raise FeedError(f"{feed.vendor} knows none of the {len(wanted)} symbols of the universe")
    listed = {each.symbol for each in wanted}
    async with database.transaction() as transaction:
        await write_symbols(transaction, wanted)
        known = await _marked(transaction, listed, refused)
        await transaction.commit()
    active = [each for each in known if each.symbol in listed and each.status is InstrumentStatus.ACTIVE]
    if not active:
        raise FeedError("every symbol of the universe is paused or unsupported: nothing to collect")
    return Roster(
        instruments=active,
        symbol_ids={each.symbol: each.symbol_id for each in known},
        unsupported=refused,
    )


async def _marked(transaction: Transaction, listed: set[str], refused: Mapping[str, str]) -> list[Instrument]:
    for each in await read_symbols(transaction):
        if each.symbol in refused:
            reason = refused[each.symbol]
            await set_symbol_status(transaction, each.symbol, InstrumentStatus.UNSUPPORTED, reason)
        elif each.symbol in listed and each.status is InstrumentStatus.UNSUPPORTED:
            await set_symbol_status(transaction, each.symbol, InstrumentStatus.ACTIVE, None)
    return await read_symbols(transaction)
