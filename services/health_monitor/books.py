"""The books of the paper accounts, checked one after the other and never for long."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracker.domain.clock import Clock
from tracker.store.database import Database
from tracker.store.ledger import read_accounts
from tracker.store.paper import LedgerCheck, ledger_check, see_one_moment

# Of the time that passes, a check may take one part in so many: on a ledger of years it comes less often.
REST = 20.0


@dataclass(slots=True)
class Books:
    """What the last check of each account said; one account is checked at a time."""

    database: Database
    clock: Clock
    every_seconds: float
    checks: dict[str, LedgerCheck] = field(default_factory=dict[str, LedgerCheck])
    _due: dict[str, float] = field(default_factory=dict[str, float])

    async def look(self) -> None:
        """Check the account whose turn it is, if any is due."""
        began = self.clock.monotonic()
        async with self.database.transaction() as transaction:
            # The trader may book between two statements.
            await see_one_moment(transaction)
            names = [each.account for each in await read_accounts(transaction)]
            self.checks = {name: check for name, check in self.checks.items() if name in names}
            due = [name for name in names if self._due.get(name, began) <= began]
            if not due:
                return
            name = min(due, key=lambda each: (self._due.get(each, 0.0), each))
            self.checks[name] = await ledger_check(transaction, name)
        now = self.clock.monotonic()
        self._due[name] = now + max(self.every_seconds, REST * (now - began))
