"""One look as plain JSON values, with the answer in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tracker.domain.funnel import FunnelStep
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Decision, SkipReason, Strategy
from tracker.domain.timeframe import EPOCH
from tracker.quant.strategies.explain import Fact
from tracker.runtime.effective_strategy import StrategyFile, in_force
from tracker.runtime.standing import TRADER, Broken, Standing, read_standing, sign_of
from tracker.runtime.why import Decided, Input, Spoken, Why, explain_look, last_close
from tracker.store.database import Transaction

NOT_ASKED = "decided by rule: models are asked about setups alone"
# The sentence names no more of them; the list has all.
MOST_UNKNOWN = 3


async def read_document(
    transaction: Transaction,
    file: StrategyFile,
    scanned: Sequence[Strategy],
    instrument: Instrument,
    at: datetime | None,
) -> dict[str, Any]:
    """Return the document of the last look at or before a moment, None for the last complete close.

    `scanned` are the strategies that have a scanner.
    """
    config = (await in_force(transaction, file)).config
    standing = await read_standing(transaction, config.strategy, config.timeframe, scanned)
    close = last_close(standing, at)
    if close is None:
        return nothing_yet(instrument.symbol, standing)
    return document(await explain_look(transaction, config, standing, instrument, close))


def nothing_yet(symbol: str, standing: Standing) -> dict[str, Any]:
    """Return the document of a symbol of whose bars none is complete yet."""
    broken = standing.behind(EPOCH)
    return _blank(symbol, standing) | {
        "answer": f"No look: {broken.says if broken else 'there is no close yet'}.",
        "broken": _broken(broken),
    }


def document(why: Why) -> dict[str, Any]:
    """Return everything about a look; times are ISO, UTC; numbers that are not known are null."""
    accounts = _accounts(why)
    return _blank(why.key.symbol, why.standing) | {
        "at": why.key.decided_at.isoformat(),
        "answer": _answer(why, accounts),
        "broken": _broken(why.broken),
        "bar": _bar(why),
        "features": [_input(each) for each in why.inputs],
        "features_computed_at": _plain(why.computed_at),
        "conditions": [] if why.decided is None else [_fact(each) for each in why.decided.facts],
        "decision": None if why.stored is None else why.stored["decision"],
        "reason": None if why.stored is None else why.stored["reason"],
        "look": _look(why),
        "recomputed": None if why.decided is None else _recomputed(why.decided, why),
        "score": _score(why),
        "model": _model(why),
        "signal": None if why.signal is None else _plain_record(why.signal),
        "accounts": accounts,
    }


def _blank(symbol: str, standing: Standing) -> dict[str, Any]:
    return {
        "symbol": symbol, "strategy": standing.strategy.value, "timeframe": standing.timeframe.value, "at": None,
        "answer": "", "broken": None, "bar": None, "features": [], "features_computed_at": None, "conditions": [],
        "decision": None, "reason": None, "look": None, "recomputed": None, "score": None,
        "model": {"model_id": None, "confidence": None, "decided_by": "rule", "says": NOT_ASKED,
                  "threshold": None, "margin": None, "moved_by": [], "candidates": []}, "signal": None,
        "accounts": [],
    }  # fmt: skip


def _broken(broken: Broken | None) -> dict[str, str] | None:
    return None if broken is None else {"where": broken.where, "says": broken.says, "do": broken.do}


def _bar(why: Why) -> dict[str, Any] | None:
    if why.bar is None:
        return None
    received = why.bar["received_at"]
    return {
        **_plain_record(why.bar),
        "age_seconds": round((received - why.key.decided_at).total_seconds(), 3),
    }


def _input(each: Input) -> dict[str, Any]:
    return {
        "name": each.name,
        "value": each.value,
        "known": each.value is not None,
        "optional": each.optional,
        "why": each.why,
        "bars_needed": None if each.bars is None else each.bars.needed,
        "bars_there": None if each.bars is None else each.bars.there,
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "name": fact.name,
        "kind": fact.kind.value,
        "holds": fact.holds,
        "observed": _plain(fact.observed),
        "relation": fact.relation,
        "limit": _plain(fact.limit),
        "of": fact.of,
        "margin": _plain(fact.margin),
        "reason": None if fact.reason is None else fact.reason.value,
        "points": _plain(fact.points),
        "parts": [_fact(part) for part in fact.parts],
    }


def _look(why: Why) -> dict[str, Any] | None:
    if why.stored is None:
        return None
    names = ("scanned_at", "market_regime", "volatility", "config_hash")
    return {name: _plain(why.stored[name]) for name in names}


def _recomputed(decided: Decided, why: Why) -> dict[str, Any]:
    scan = decided.scan
    return {
        "decision": scan.decision.value,
        "reason": scan.reason,
        "strength": scan.strength,
        "confirmations": scan.metadata["confirmations"],
        "config_hash": scan.config_hash,
        "agrees": decided.agrees,
        "same_config": decided.same_config,
        "says": _agreement(decided, why),
    }


def _agreement(decided: Decided, why: Why) -> str:
    if why.spoken is not None and why.spoken.model is None:
        return f"it cannot be decided again: {why.spoken.trouble}"
    if decided.agrees is None or why.stored is None:
        return "nothing was decided to compare with"
    if decided.agrees:
        return "the rules say the same today"
    now = f"{decided.scan.decision} {decided.scan.reason}"
    if not decided.same_config:
        return (
            f"decided under configuration {why.stored['config_hash']}, which is not known any more; under today's it"
            f" would be {now}"
        )
    return f"the rules say {now} today, which they must not: `tracker verify parity` says what differs"


def _score(why: Why) -> dict[str, Any] | None:
    if why.decided is None and why.stored is None:
        return None
    met, asked = (None, None) if why.decided is None else why.decided.confirmations
    stored = why.stored or {}
    strength = stored.get("signal_strength", None if why.decided is None else why.decided.scan.strength)
    return {
        "strength": strength,
        "confirmations": stored.get("confirmations", met),
        "confirmations_asked": asked,
        "confidence": stored.get("confidence_score"),
    }


def _model(why: Why) -> dict[str, Any]:
    spoken, stored = why.spoken, why.stored or {}
    by_rule = f"decided by rule: {stored['no_model']}" if stored.get("no_model") else NOT_ASKED
    return {
        "model_id": None if spoken is None else spoken.model_id,
        "confidence": stored.get("confidence_score"),
        "threshold": None if spoken is None else spoken.threshold,
        "margin": None if spoken is None else spoken.margin,
        "decided_by": stored.get("decided_by") or "rule",
        "says": by_rule if spoken is None else _word(spoken),
        "moved_by": [] if spoken is None else [
            {"feature": each.feature, "value": each.value, "log_odds": each.log_odds} for each in spoken.moved
        ],
        "candidates": [] if spoken is None else [
            {"model_id": each["model_id"], "probability": each["probability"]} for each in spoken.others
        ],
    }  # fmt: skip


def _word(spoken: Spoken) -> str:
    """Say what a model said."""
    told = f"model {spoken.model_id} gives it {spoken.probability:.3f}"
    if spoken.threshold is not None:
        side = "at least" if spoken.probability >= spoken.threshold else "below"
        told += f", {side} {spoken.threshold:.4g}"
    if spoken.moved:
        told += "; moved most by " + ", ".join(f"{each.feature} {each.log_odds:+.2f}" for each in spoken.moved[:3])
    return f"{told} ({spoken.trouble})" if spoken.trouble else told


def _accounts(why: Why) -> list[dict[str, Any]]:
    if why.aftermath is None:
        return []
    found: list[dict[str, Any]] = []
    for account, (step, stopped_by) in why.aftermath.answers.items():
        orders = why.aftermath.orders.get(account or "", [])
        positions = why.aftermath.positions.get(account or "", [])
        position = positions[0] if positions else None
        place = why.places.get(account or "")
        through = None if place is None else place.processed_through
        found.append(
            {
                "account": account,
                "last_step": step.value,
                "stopped_by": stopped_by,
                "says": _outcome(why, step, stopped_by, through, orders, position),
                "processed_through": _plain(through),
                "locks": [_plain_record(each) for each in why.aftermath.locks.get(account or "", [])],
                "orders": [_plain_record(each) for each in orders],
                "fills": [_plain_record(each) for each in why.aftermath.fills.get(account or "", [])],
                "position": None if position is None else _plain_record(position),
            }
        )
    return found


def _outcome(
    why: Why,
    step: FunnelStep,
    stopped_by: str | None,
    through: datetime | None,
    orders: Sequence[Mapping[str, Any]],
    position: Mapping[str, Any] | None,
) -> str:
    entry = next((each for each in orders if each["leg"] == "entry"), None)
    if entry is None:
        return _unanswered(why, stopped_by, through)
    if step is FunnelStep.SCORED:
        return f"refused, {stopped_by}: {entry['note']}"
    sized = ", ".join(each for each in (f"approved {entry['quantity'].normalize():f}", entry["note"]) if each)
    if step is FunnelStep.APPROVED or position is None:
        return f"{sized}, nothing filled: {stopped_by}"
    if step is FunnelStep.FILLED:
        return f"{sized}, bought {position['bought_quantity'].normalize():f}, still held"
    if position["pnl"] is None:
        return f"{sized}, closed"
    return f"{sized}, closed by {position['exit_reason']} with {position['pnl']:+.2f}"


def _unanswered(why: Why, stopped_by: str | None, through: datetime | None) -> str:
    if stopped_by == "no_account":
        return f"there is no account yet; {sign_of(TRADER, why.standing.signs)}"
    if stopped_by == "not_reached":
        return f"not answered yet: {why.standing.unread(through)}"
    if stopped_by == "before_account":
        return "the account began after this close"
    return "the account came past this close without an answer: the signal was more than 7 days late for it"


def _answer(why: Why, accounts: Sequence[Mapping[str, Any]]) -> str:
    if why.broken is not None:
        return f"No look: {why.broken.says}." if why.stored is None else f"No trade: {why.broken.says}."
    assert why.stored is not None  # noqa: S101 - without a look the chain is broken
    if why.stored["decision"] == Decision.SIGNAL.value:
        if why.signal is None:
            return "A signal was decided, but it is not stored: `tracker verify parity` says what differs."
        return f"Signal. {'; '.join(_said(each) for each in accounts)}."
    return f"No signal, {why.stored['reason']}: {_held_back(why)}."


def _said(account: Mapping[str, Any]) -> str:
    return account["says"] if account["account"] is None else f"{account['account']}: {account['says']}"


def _held_back(why: Why) -> str:
    if why.decided is None:
        return "the features it was decided on are not stored any more"
    if why.decided.agrees is False:
        return _agreement(why.decided, why)
    if why.stored is not None and why.stored["reason"] == SkipReason.CONFIDENCE_TOO_LOW.value:
        return "no prediction is stored" if why.spoken is None else _word(why.spoken)
    if why.stored is not None and why.stored["reason"] == SkipReason.WARMING_UP.value:
        unknown = [each for each in why.inputs if each.value is None and not each.optional]
        more = f"; {len(unknown) - MOST_UNKNOWN} more are not known" if len(unknown) > MOST_UNKNOWN else ""
        return "; ".join(f"{each.name} is not known, {each.why}" for each in unknown[:MOST_UNKNOWN]) + more
    failed = why.decided.failed
    if failed is None:
        return "its conditions are not told by the rule"
    others = len(why.decided.not_held) - 1
    more = f"; {others} more gate{'s' if others > 1 else ''} would not hold" if others else ""
    return f"{failing(failed)}{more}"


def failing(fact: Fact) -> str:
    """Say in words how a condition failed."""
    if fact.parts:
        missing = [failing(part) for part in fact.parts if not part.holds]
        return f"{fact.name}: {(' and ' if fact.relation == 'all of' else '; ').join(missing)}"
    if fact.observed is None or fact.limit is None or fact.margin is None:
        return f"{fact.name} does not hold"
    name = f" ({fact.of})" if fact.of else ""
    return f"{fact.name} {fact.observed:.5g} is not {fact.relation} {fact.limit:.5g}{name}, {-fact.margin:.3g} off"


def _plain_record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
