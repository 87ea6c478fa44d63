"""Takes every account through the minutes that are complete, each in transactions of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.domain.clock import Clock
from tracker.domain.errors import ConfigError, TrackerError
from tracker.domain.signal import Strategy
from tracker.runtime.accounts import AccountRules, load_accounts
from tracker.runtime.logging import Logger
from tracker.runtime.strategies import configured_strategies, scanned_strategies
from tracker.store.bars import BARS_CHANNEL
from tracker.store.commands import COMMANDS_CHANNEL
from tracker.store.database import Database
from tracker.store.scans import SCANS_CHANNEL

from services.paper_trader.bookkeeper import Bookkeeper
from services.paper_trader.bounds import MINUTE, ScanPatience
from services.paper_trader.feed import Feed
from services.paper_trader.roster import Lineup, Roster
from services.paper_trader.settings import PaperTraderSettings

COUNTED = ("open_positions", "fills", "late", "commands")


def build(settings: PaperTraderSettings, database: Database, clock: Clock, log: Logger) -> PaperTrader:
    """Make the service with the accounts in the configuration folder.

    Raises ConfigError where a file holds something unusable.
    """
    return PaperTrader(database, load_accounts(settings.config_dir), settings, clock, log)


def strategies_of(settings: PaperTraderSettings) -> tuple[Strategy, ...]:
    """Return the strategies whose scans are waited for; raises ConfigError naming one that there is not."""
    if settings.strategies is None:
        return scanned_strategies(settings.config_dir)
    unknown = sorted(set(settings.strategies) - set(configured_strategies(settings.config_dir)))
    if unknown:
        raise ConfigError(f"environment: strategies = {unknown[0]!r}: there is no such file in configs/strategies")
    return settings.strategies


class PaperTrader:
    """The service: acts on every minute once it is complete and scanned."""

    name = "paper_trader"
    channels = (BARS_CHANNEL, SCANS_CHANNEL, COMMANDS_CHANNEL)

    def __init__(
        self,
        database: Database,
        accounts: Sequence[AccountRules],
        settings: PaperTraderSettings,
        clock: Clock,
        log: Logger,
    ) -> None:
        """Take the configured accounts, the default one first; those of commands are found in the database."""
        self._database = database
        self._roster = Roster(accounts, settings.config_dir, log)
        self._batch = settings.batch_minutes * MINUTE
        self._strategies = strategies_of(settings)
        self._grace = settings.signal_grace_seconds
        self._clock = clock
        self._log = log
        self._keepers: dict[str, Bookkeeper] = {}
        self._problems: dict[str, str] = {}

    async def run_once(self) -> bool:
        """Process the next minutes of every account, if any may be; return whether there are more.

        What goes wrong with one account does not keep the others from going on: it is told, and tried again.
        """
        async with self._database.transaction() as transaction:
            feed = await Feed.read(transaction)
            if feed.finest is None:
                return False
            lineup = await self._roster.line_up(transaction, feed.finest)
        failures: dict[str, Exception] = dict(lineup.unusable)
        more = await self._run_all(lineup, feed, failures)
        self._tell(failures)
        if failures and not set(self._keepers) - set(failures):
            raise next(iter(failures.values()))
        return more

    def detail(self) -> dict[str, Any]:
        """Return for each account the event time reached and what has been done since the start, and the sums."""
        counts = {name: each.counts for name, each in self._keepers.items()}
        reached = [each["processed_through"] for each in counts.values() if each["processed_through"] is not None]
        problems = [f"account {name!r}: {words}" for name, words in sorted(self._problems.items())]
        return {
            "processed_through": min(reached, default=None),
            **{name: sum(each[name] for each in counts.values()) for name in COUNTED},
            "scanners_given_up": sorted({s.value for each in self._keepers.values() for s in each.patience.given_up}),
            "accounts": counts,
            **({"problem": "; ".join(problems)} if problems else {}),
        }

    async def _run_all(self, lineup: Lineup, feed: Feed, failures: dict[str, Exception]) -> bool:
        more = False
        for account in lineup.accounts:
            keeper = self._keeper(account)
            try:
                more = await keeper.run_once(feed, commanded=account.name in lineup.commanded) or more
            except TrackerError as error:
                if error.retryable:
                    raise
                failures[account.name] = error
            except Exception as error:
                failures[account.name] = error
        return more

    def _keeper(self, account: AccountRules) -> Bookkeeper:
        keeper = self._keepers.get(account.name)
        if keeper is None:
            only = account.rules.paper.account.strategies
            waited = tuple(each for each in self._strategies if only is None or each in only)
            patience = ScanPatience(waited, self._grace, self._clock)
            keeper = Bookkeeper(self._database, account, self._batch, patience, self._log)
            self._keepers[account.name] = keeper
        keeper.account = account
        return keeper

    def _tell(self, failures: Mapping[str, Exception]) -> None:
        for name, error in failures.items():
            words = str(error) if isinstance(error, TrackerError) else f"{type(error).__name__}: {error}"
            if self._problems.get(name) != words:
                known = isinstance(error, TrackerError)
                self._log.error(
                    "an account could not be worked on and stands still",
                    action="account_failed",
                    account=name,
                    error=words,
                    exc_info=None if known else error,
                )
            self._problems[name] = words
        for name in [each for each in self._problems if each not in failures]:
            del self._problems[name]
            self._log.info("an account goes on", action="account_mended", account=name)
