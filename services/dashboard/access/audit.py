"""Who signed in and what was commanded, kept in the database."""

from __future__ import annotations

from tracker.domain.errors import TrackerError
from tracker.runtime.logging import Logger
from tracker.store.audit import AuditEntry, write_audit
from tracker.store.database import Database


class Audit:
    """Writes the log of sign-ins, under the role of those who command."""

    def __init__(self, database: Database, log: Logger) -> None:
        """Write to a database that acts as tracker_control."""
        self._database = database
        self._log = log

    async def note(self, who: str, address: str, action: str, *, outcome: str) -> None:
        """Write a line; a database that is away is told in the log, and holds nobody up."""
        entry = AuditEntry(who=who, address=address, action=action, outcome=outcome)
        self._log.info("noted", action="audit", who=who, address=address, what=action, outcome=outcome)
        try:
            async with self._database.transaction() as transaction:
                await write_audit(transaction, entry)
                await transaction.commit()
        except TrackerError as error:
            self._log.error("the audit log could not be written", action="audit_failed", error=str(error))
