"""What a stream sent and nobody can believe, in the form that is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Rejection

from services.data_collector.feeds.polygon_messages import LONGEST_FRAME


def rejected_frame(source: str, frame: str | bytes, reason: str) -> Rejection:
    """Return a frame of which nothing could be read, so that any symbol's bar may be missing."""
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    return Rejection(source=source, reason=reason, frame=_kept(text), whole_frame=True)


def rejected_item(
    source: str, item: Any, reason: str, symbol: str | None = None, ts: datetime | None = None
) -> Rejection:
    """Return one message; `symbol` is ours, `ts` lies in the minute that misses it."""
    return Rejection(
        source=source,
        reason=reason,
        frame=_kept(orjson.dumps(item).decode()),
        symbol=symbol,
        timeframe=Timeframe.M1.value,
        ts=None if ts is None else Timeframe.M1.floor(ts),
    )


def _kept(text: str) -> str:
    # Postgres takes no NUL in a text.
    return text[:LONGEST_FRAME].replace("\0", "")
