"""How far a stage of the pipeline is behind its input."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage's watermark beside that of its input, when either last moved, and the length of a bucket."""

    stage: str
    due: datetime
    done: datetime | None
    due_since: datetime
    done_at: datetime | None
    bucket: timedelta
