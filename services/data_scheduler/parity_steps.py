"""`python -m services.data_scheduler.parity_steps FIRST END KEEP DONE...`: compares, one JSON object a line.

Decisions in (FIRST, END] are taken again, strategy by strategy, then the ledger is walked through; a step that is among
DONE is left out. Lines are {"event": "step", "name", "counts", "first": the first KEEP differences}, at last
{"event": "end", "never_scanned"}, or {"event": "refused", "error"}. TA-Lib and what comes with it live in this process
only, which ends with its work.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from tracker.domain.errors import ConfigError, TrackerError
from tracker.runtime.accounts import accounts_kept, load_accounts
from tracker.runtime.ledger_state import LedgerState, plain_state, read_ledger_state, restored
from tracker.runtime.logging import configure_logging
from tracker.runtime.parent import parent_gone
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledgers
from tracker.runtime.parity_looks import check_looks
from tracker.runtime.settings import load_settings
from tracker.runtime.strategies import StrategyConfig, load_strategies, scanned_strategies
from tracker.store.database import Database, Transaction
from tracker.store.paper import read_scan_watermarks
from tracker.store.parity_reports import keep_checkpoint, read_checkpoint
from tracker.store.symbols import read_symbols

from services.data_scheduler.settings import SchedulerSettings

LEDGER = "ledger"


def main() -> None:
    """Compare; what makes it impossible is one line with the sentence."""
    log = configure_logging("parity", stream=sys.stderr)
    try:
        asyncio.run(_until_told(sys.argv[1:]))
    except TrackerError as error:
        log.error("parity cannot be checked", action="parity_refused", error=str(error))
        _say({"event": "refused", "error": str(error)})
        sys.exit(1)
    except Exception as error:
        # A defect is a finding as well: the report says that there is none of this night.
        log.exception("the check of parity crashed", action="parity_crashed")
        _say({"event": "refused", "error": repr(error)})
        sys.exit(1)
    except asyncio.CancelledError:
        sys.exit(130)


async def _until_told(arguments: Sequence[str]) -> None:
    """Compare until it is through or told to stop, and not beyond the life of the process that listens."""
    work = asyncio.create_task(_work(arguments))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    orphaned = asyncio.create_task(parent_gone(True))
    try:
        await asyncio.wait((work, orphaned), return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await work
    finally:
        orphaned.cancel()


async def _work(arguments: Sequence[str]) -> None:
    first, end, keep, *done = arguments
    settings = load_settings(SchedulerSettings)
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    database = await Database.open(
        settings.database_url.get_secret_value(), role="tracker_data_scheduler", pool_size=1, application="parity"
    )
    try:
        span = datetime.fromisoformat(first), datetime.fromisoformat(end)
        await _compare(database, settings, span, int(keep), set(done))
    finally:
        await database.close()


async def _compare(
    database: Database, settings: SchedulerSettings, span: tuple[datetime, datetime], keep: int, done: set[str]
) -> None:
    for config in load_strategies(settings.config_dir, settings.strategies_dir):
        if _step_of(config) not in done:
            await _look(database, config, span, keep)
    if LEDGER not in done:
        await _walk(database, settings, span[0], keep)
    async with database.transaction() as transaction:
        scanned = {*await read_scan_watermarks(transaction)}
    silent = sorted(str(each) for each in scanned_strategies(settings.config_dir) if each not in scanned)
    _say({"event": "end", "never_scanned": silent})


async def _look(database: Database, config: StrategyConfig, span: tuple[datetime, datetime], keep: int) -> None:
    # The fleet goes on deciding and booking meanwhile: all is compared as it stands at one moment.
    async with database.transaction(snapshot=True) as transaction:
        found = await check_looks(transaction, config, span, keep=keep, stretch_days=1)
    if found is None:
        _step(_step_of(config), {"looks": 0, "differences": 0}, ())
        return
    counts = {
        "looks": found.looks, "signals": found.signals, "not_compared": found.other_config,
        "differences": found.found,
    }
    _step(_step_of(config), counts, found.differences)


async def _walk(database: Database, settings: SchedulerSettings, first: datetime, keep: int) -> None:
    """Compare the ledgers from the last checkpoint before the span on, and leave a new one."""
    accounts = load_accounts(settings.config_dir)
    differences: list[Difference] = []
    # The fleet goes on deciding and booking meanwhile: all is compared as it stands at one moment.
    async with database.transaction(snapshot=True) as transaction:
        instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
        kept, _ = await accounts_kept(transaction, accounts, settings.config_dir)
        since = {each.name: await _checkpoint(transaction, each.name, first) for each in kept}
        counts = await compare_ledgers(
            transaction, accounts, settings.config_dir, instruments, differences,
            {name: state for name, state in since.items() if state is not None},
        )
        now = [await read_ledger_state(transaction, each) for each in kept]
    async with database.transaction() as transaction:
        for state in now:
            if state is not None:
                await keep_checkpoint(
                    transaction, state.account.account, state.at, state.rules_hash, plain_state(state), first
                )
        await transaction.commit()
    counts["not_compared"] = counts.pop("other_rules")
    _step(LEDGER, {**counts, "differences": len(differences)}, differences[:keep])


async def _checkpoint(transaction: Transaction, account: str, first: datetime) -> LedgerState | None:
    plain = await read_checkpoint(transaction, account, first)
    try:
        return None if plain is None else restored(LedgerState, plain)
    except (KeyError, TypeError, ValueError):
        return None  # of an earlier release, which remembered something else: the ledger is compared whole once more


def _step_of(config: StrategyConfig) -> str:
    return f"looks {config.strategy}"


def _step(name: str, counts: dict[str, int], differences: Sequence[Difference]) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    first = [asdict(each) for each in differences]
    _say({"event": "step", "name": name, "counts": {**counts, "peak_mb": round(peak)}, "first": first})


def _say(event: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(event) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
