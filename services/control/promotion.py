"""`tracker shadow promote`: a variation becomes the configuration in force, if the gate lets it or is overruled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.paper import TradingRules
from tracker.quant.promotion import Evidence, GateLimits, Verdict, gate
from tracker.runtime.effective_strategy import changed_values, values_of, write_version
from tracker.runtime.shadow_config import load_shadow_config
from tracker.runtime.strategies import StrategyConfig, shaped_strategy
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.config_versions import KeptVerdict, keep_verdict
from tracker.store.database import Transaction
from tracker.store.shadow import find_variations, read_outcomes_of

from services.control.config_versions import Standing, asked, standing_for_writing, standing_of, who
from services.control.settings import ControlSettings

KIND = "shadow_variation"
BY_THE_GATE = "the gate let it pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRequest:
    """What the command line asks for: `variation` is an id or its beginning; `reason` is kept."""

    variation: str
    force: bool
    reason: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A variation before the gate; `rules_changed` by dotted name as [live, its own]."""

    row: Mapping[str, Any]
    outcome: Mapping[str, Any]
    config: StrategyConfig
    rules_changed: Mapping[str, Any]
    limits: GateLimits
    verdict: Verdict


def promote(settings: ControlSettings, request: PromotionRequest) -> dict[str, Any]:
    """Judge a variation and, where it may, write its parameters as a new version; return the report.

    The verdict is kept, also of one that is refused, but not in a dry run. Raises InputError naming a variation that
    cannot be meant, or a force without a reason.
    """
    if request.force and not request.reason.strip():
        raise InputError("--force: needs --reason, which is kept with the configuration")

    async def work(transaction: Transaction) -> dict[str, Any]:
        row = await _variation(transaction, request.variation)
        strategy = Strategy(row["strategy"])
        stand = standing_of if request.dry_run else standing_for_writing
        standing = await stand(transaction, settings, strategy)
        case = await _case(transaction, settings, row, standing)
        number = None
        if not request.dry_run:
            if case.verdict.passed or request.force:
                number = await _write(transaction, request, case, standing)
            await keep_verdict(transaction, _kept(request, case, number))
        return _report(request, case, standing, number)

    return asked(settings, work, keep=not request.dry_run)


async def _variation(transaction: Transaction, beginning: str) -> Mapping[str, Any]:
    found = await find_variations(transaction, beginning) if beginning else []
    if not found:
        raise InputError(f"ID: there is no variation {beginning!r}: `tracker shadow top` lists them")
    if len(found) > 1:
        raise InputError(f"ID: several variations begin with {beginning!r}: give more of it")
    return found[0]


async def _case(
    transaction: Transaction, settings: ControlSettings, row: Mapping[str, Any], standing: Standing
) -> _Case:
    name = f"variation {row['id']}"
    live = standing.effective.config
    if Timeframe(row["timeframe"]) is not live.timeframe:
        raise InputError(f"ID: {name} decides on {row['timeframe']} bars, {live.strategy} on {live.timeframe.value}")
    raw = {"timeframe": row["timeframe"], "params": row["params"]}
    config = shaped_strategy(name, live.strategy, live.rule, raw)
    rules_changed = changed_rules(settings, row["rules"])
    if config.hash == live.hash:
        only = f", but for rules of trading: {', '.join(rules_changed)}" if rules_changed else ""
        raise InputError(f"ID: {name} has the parameters that are in force already{only}")
    limits = load_shadow_config(settings.config_dir).gate
    outcomes = {each["span"]: each for each in await read_outcomes_of(transaction, row["id"])}
    outcome = outcomes.get(limits.window, {})
    return _Case(
        row=row, outcome=outcome, config=config, rules_changed=rules_changed, limits=limits,
        verdict=gate(evidence_of(row, outcome, len(rules_changed)), limits),
    )


def changed_rules(settings: ControlSettings, rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return which rules of trading are not those the live trades by, by dotted name as [live, its own]."""
    plain = TypeAdapter(TradingRules).dump_python(load_trading_rules(settings.config_dir), mode="json")
    return dict(changed_values(_flat(plain), _flat(rules)))


def evidence_of(row: Mapping[str, Any], outcome: Mapping[str, Any], rules_changed: int) -> Evidence:
    """Return what a stored variation has shown in a window, for the gate."""
    hours = outcome.get("hours")
    return Evidence(
        days=None if hours is None else hours / 24,
        trades=outcome.get("trades"),
        deflated_sharpe=outcome.get("dsr"),
        lower_bound=outcome.get("lower_bound"),
        first_half_return=outcome.get("first_half_return"),
        second_half_return=outcome.get("second_half_return"),
        retired=row["retired_at"] is not None,
        rules_changed=rules_changed,
    )


async def _write(transaction: Transaction, request: PromotionRequest, case: _Case, standing: Standing) -> int:
    now = standing.effective
    lineage = {
        "variation": case.row["id"], "set": case.row["source"], "forced": not case.verdict.passed,
        "outcome": _plain(case.outcome), "verdict": {"passed": case.verdict.passed, "criteria": _criteria(case)},
        "previous": {"version": now.version, "config_hash": now.config.hash},
        "not_promoted": dict(case.rules_changed),
    }
    return await write_version(
        transaction, standing.file, values_of(case.config), source="promotion", lineage=lineage, made_by=who(),
        reason=request.reason.strip() or BY_THE_GATE, file_hash=standing.file_hash,
    )


def _kept(request: PromotionRequest, case: _Case, number: int | None) -> KeptVerdict:
    return KeptVerdict(
        judged_by=who(), subject_kind=KIND, subject_id=case.row["id"], strategy=case.row["strategy"],
        criteria=_criteria(case), passed=case.verdict.passed, forced=request.force and not case.verdict.passed,
        reason=request.reason.strip(), version=number,
    )


def _report(
    request: PromotionRequest, case: _Case, standing: Standing, number: int | None
) -> dict[str, Any]:
    live = standing.effective.config
    return {
        "variation": case.row["id"], "strategy": case.row["strategy"], "set": case.row["source"],
        "window": case.limits.window, "outcome": _plain(case.outcome), "criteria": _criteria(case),
        "passed": case.verdict.passed, "failed": [each.sentence for each in case.verdict.failed],
        "forced": request.force and not case.verdict.passed, "reason": request.reason.strip(),
        "dry_run": request.dry_run, "promoted": number is not None, "version": number,
        "changes": changed_values(values_of(live), values_of(case.config)),
        "not_promoted": dict(case.rules_changed), "was": standing.effective.origin, "notes": standing.notes(),
        "would_promote": case.verdict.passed or request.force,
    }


def _criteria(case: _Case) -> list[dict[str, Any]]:
    return [asdict(each) for each in case.verdict.criteria]


def _plain(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in outcome.items()}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found
