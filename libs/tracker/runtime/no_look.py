"""Why there was no look at a symbol at a close, or one without a bar: the first link of the chain that broke."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.quant.features import FEATURE_SET
from tracker.runtime.standing import CALCULATOR, COLLECTOR, Broken, Standing, shown, sign_of
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set
from tracker.store.gaps import Gap, GapQuestion, GapState, list_gaps
from tracker.store.looks import (
    LookKey,
    read_bar,
    read_computed_at,
    read_last_open,
    read_look_span,
    read_symbol_status,
)

MOST_GAPS = 3


async def why_no_bar(transaction: Transaction, instrument: Instrument, standing: Standing, close: datetime) -> Broken:
    """Say why a symbol has no bar that closed at a moment: by the gap ledger, or that nothing is known."""
    timeframe, symbol = standing.timeframe, instrument.symbol
    opened = close - timeframe.duration
    question = GapQuestion(first=opened, end=close, symbols=[symbol])
    gaps = await list_gaps(transaction, question, MOST_GAPS)
    head = f"{symbol} has no {timeframe} bar from {shown(opened)} to {shown(close)}"
    do = f"`tracker gaps --symbols {symbol} --state all --from {opened:%Y-%m-%dT%H:%MZ} --to {close:%Y-%m-%dT%H:%MZ}`"
    if gaps:
        return Broken(where="bars", says=f"{head}: {'; '.join(_gap(each) for each in gaps)}", do=_remedy(gaps, do))
    last = await read_last_open(transaction, instrument.symbol_id, timeframe, opened)
    before = "and none in the month before" if last is None else f"the last one before opened at {shown(last)}"
    return Broken(
        where="bars",
        says=f"{head}, the gap ledger knows nothing of that time, {before}; {sign_of(COLLECTOR, standing.signs)}",
        do=f"`tracker backfill --symbols {symbol}` asks the vendor for it; {do} shows the ledger",
    )


async def why_no_look(
    transaction: Transaction, instrument: Instrument, standing: Standing, key: LookKey
) -> Broken:
    """Say at which link the chain broke that leads to a look."""
    close, timeframe = key.decided_at, standing.timeframe
    status = await read_symbol_status(transaction, instrument.symbol_id)
    if instrument.status is not InstrumentStatus.ACTIVE:
        why = status.get("status_reason") or "no reason is noted"
        return Broken(
            where="symbol",
            says=f"{instrument.symbol} is {instrument.status} since {shown(status['status_since'])}: {why}",
            do="its vendor tickers stand in configs/universe.toml; `tracker up` asks the vendor again",
        )
    behind = standing.behind(close)
    if behind is not None and behind.where == "bars":
        return behind
    opened = close - timeframe.duration
    if await read_bar(transaction, instrument.symbol_id, timeframe, opened) is None:
        return await why_no_bar(transaction, instrument, standing, close)
    if behind is not None:
        return behind
    return await _passed_over(transaction, instrument, standing, key)


async def _passed_over(
    transaction: Transaction, instrument: Instrument, standing: Standing, key: LookKey
) -> Broken:
    """Say why there is no look although there is a bar and everybody has come so far."""
    close, opened = key.decided_at, key.decided_at - standing.timeframe.duration
    first, _ = await read_look_span(transaction, key)
    if first is None or close < first:
        began = "it has never looked at it" if first is None else f"its first look was at {shown(first)}"
        return Broken(
            where="scan",
            says=f"{key.strategy} did not look at {instrument.symbol} at {shown(close)}: {began}",
            do="looks begin where the scanner first ran, and old ones go after scan_history_days"
            " (configs/data_scheduler.toml)",
        )
    number = await find_feature_set(transaction, FEATURE_SET)
    computed = None
    if number is not None:
        computed = await read_computed_at(transaction, instrument.symbol_id, standing.timeframe, opened, number)
    if computed is None:
        return Broken(
            where="features",
            says=f"the {standing.timeframe} bar came after the features of {shown(close)} were computed, so that it"
            f" has none; {sign_of(CALCULATOR, standing.signs)}",
            do="nothing: decisions are not taken on what came late, and later closes know the bar",
        )
    return Broken(
        where="scan",
        says=f"{key.strategy} did not look at {instrument.symbol} at {shown(close)}, which has a bar and features",
        do=f"the symbol was paused or its bar came late: logs/{standing.scanner}.log",
    )


def _gap(gap: Gap) -> str:
    span = f"{gap.buckets} {gap.timeframe} bars from {shown(gap.starts_at)} to {shown(gap.ends_at)}"
    if gap.state is GapState.CONFIRMED_EMPTY:
        return f"{span} had no trades, as the vendor confirmed ({gap.cause})"
    if gap.state is GapState.HEALED:
        return f"{span} are missing among what was healed later ({gap.cause})"
    error = f", last error: {gap.last_error}" if gap.last_error else ""
    return f"{span} are missing ({gap.cause}), asked for {gap.attempts} times{error}"


def _remedy(gaps: Sequence[Gap], do: str) -> str:
    if any(each.state is GapState.OPEN for each in gaps):
        return f"the collector goes on asking for them: {do}"
    return f"nothing: there was no market; {do} shows the ledger"
