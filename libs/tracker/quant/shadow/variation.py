"""One configuration that is tried in the shadow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.paper import TradingRules

# The configuration in force, and that of the file where it is another one.
LIVE = "live"
UNCHANGED = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """Parameters of a strategy and the rules of its own account.

    `changes` names what differs from the live configuration, parameters by their name and rules by their path;
    `source` is 'live', 'file', or the set that declares it. `min_confidence` is the probability of a model from which
    on it trades a signal, None for that of the scanners.
    """

    id: str
    strategy: Strategy
    timeframe: Timeframe
    params: Any
    rules: TradingRules
    config_hash: str
    rules_hash: str
    source: str
    changes: Mapping[str, Any]
    min_confidence: float | None = None


def hash_of(plain: Mapping[str, Any]) -> str:
    """Return the identity of plain values: sha256 over their canonical JSON, first 16 hex digits."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
