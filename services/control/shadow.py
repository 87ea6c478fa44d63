"""What became of the variations in the shadow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.promotion import GateLimits, gate
from tracker.quant.shadow.variation import LIVE
from tracker.runtime.shadow_config import load_shadow_config
from tracker.store.database import Transaction
from tracker.store.shadow import (
    find_variations,
    read_leaders,
    read_outcomes_in,
    read_outcomes_of,
    read_shadow_counts,
    read_trades_of,
)

from services.control.config_versions import asked
from services.control.promotion import changed_rules, evidence_of
from services.control.settings import ControlSettings

WINDOWS = ("1d", "7d", "30d", "all")


def top(settings: ControlSettings, window: str, strategy: Strategy | None, limit: int) -> dict[str, Any]:
    """Return the best variations of a window; raises InputError naming a window that there is not."""
    if window not in WINDOWS:
        raise InputError(f"--window: {window!r} is not one of {', '.join(WINDOWS)}")

    limits = load_shadow_config(settings.config_dir).gate

    async def read(transaction: Transaction) -> dict[str, Any]:
        counts = await read_shadow_counts(transaction, window)
        leaders = await read_leaders(transaction, window, strategy, limit)
        judged = await read_outcomes_in(transaction, limits.window, [each["variation"] for each in leaders])
        return {
            "window": window,
            "gate_window": limits.window,
            "strategies": [_plain(each) for each in counts],
            "leaders": [_leader(settings, limits, each, judged.get(each["variation"], {})) for each in leaders],
        }

    return asked(settings, read)


def _leader(
    settings: ControlSettings, limits: GateLimits, row: Mapping[str, Any], outcome: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a line of the leaderboard; why it may not be promoted is said for the gate's window."""
    live = row["source"] == LIVE
    verdict = gate(evidence_of(row, outcome, len(changed_rules(settings, row["rules"]))), limits)
    why_not = ["it is in force already"] if live else [each.sentence for each in verdict.failed]
    shown = {name: value for name, value in row.items() if name not in ("rules", "retired_at", "variation", "span")}
    return {"id": row["variation"], **_plain(shown), "promotable": not why_not, "why_not": why_not}


def show(settings: ControlSettings, variation: str, trades: int) -> dict[str, Any]:
    """Return one variation; raises InputError where there is none of that id, or more than one begins so."""

    async def read(transaction: Transaction) -> dict[str, Any]:
        found = await find_variations(transaction, variation)
        if len(found) != 1:
            how = "no variation" if not found else "more than one variation"
            raise InputError(f"ID: {variation!r} is the beginning of {how}: see tracker shadow top")
        one = found[0]
        return {
            **_plain(one),
            "outcomes": [_plain(each) for each in await read_outcomes_of(transaction, one["id"])],
            "trades": [_plain(each) for each in await read_trades_of(transaction, one["id"], trades)],
        }

    return asked(settings, read)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
