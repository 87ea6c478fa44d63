"""Who did what on the page, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line; `outcome` is done, refused, failed, or asked where the command or the request tells what came of it."""

    who: str
    address: str
    action: str
    outcome: str
    subject: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""
    note: str = ""
    command_id: int | None = None
    request_id: int | None = None


async def write_audit(transaction: Transaction, entry: AuditEntry) -> int:
    """Add a line and return its number."""
    return await transaction.fetch_value(
        "audit.insert",
        entry.who[:200],
        entry.address[:100],
        entry.action,
        entry.subject,
        orjson.dumps(entry.arguments).decode(),
        entry.reason,
        entry.outcome,
        entry.note,
        entry.command_id,
        entry.request_id,
    )


async def settle_audit(transaction: Transaction, audit_id: int, outcome: str, note: str) -> None:
    """Say what came of something that was written down before it was done."""
    await transaction.execute("audit.settle", audit_id, outcome, note)
