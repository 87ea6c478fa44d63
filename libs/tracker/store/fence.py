"""What keeps a transaction from committing once somebody else may act."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracker.domain.errors import SchemaError

LEASE_LOST = "TL001"
_PLAIN = re.compile(r"[\w.:/#-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fence:
    """A lease that must still be `holder`'s when a transaction commits; raises SchemaError for odd names."""

    lease: str
    holder: str

    def __post_init__(self) -> None:
        """Refuse names that would need quoting: a statement sent with COMMIT takes no parameters."""
        for name in (self.lease, self.holder):
            if _PLAIN.fullmatch(name) is None:
                raise SchemaError(f"{name!r} is not a plain name of a lease or its holder")

    @property
    def commit(self) -> str:
        """COMMIT for whoever holds the lease, in one round trip."""
        return f"SELECT tracker.require_lease('{self.lease}', '{self.holder}'); COMMIT"
