"""The answers of /health and /health/simple: findings in the shape of the health-check draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.runtime.findings import document, overall
from tracker.store.health.findings import Finding

from services.health_monitor.invariants import ALL

_UNITS: Mapping[str, str] = {kind.name: kind.unit for kind in ALL}


def health(own: Mapping[str, Any], findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the picture of the whole fleet; `own` is what the monitor says of itself.

    Where `own` says fail, because it cannot reach the database, so does the whole.
    """
    failing = [each for each in findings if not each.ok]
    words = "; ".join(f"{each.name}: {each.observed}" for each in failing)
    return {
        **own,
        "status": "fail" if own["status"] == "fail" else overall(findings),
        "description": "the state of the whole fleet; `monitor` is that of the one who looks",
        "monitor": {"status": own["status"], "output": own["output"], "checks": own["checks"]},
        "output": own["output"] or words or None,
        "checks": {f"{each.group}:{each.name}": [_check(each)] for each in findings},
        "findings": [document(each) for each in findings],
    }


def simple(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the status and how many findings fail."""
    return {"status": overall(findings), "failing": sum(not each.ok for each in findings)}


def _check(finding: Finding) -> dict[str, Any]:
    status = "pass" if finding.ok else overall([finding])
    unit = next((unit for name, unit in _UNITS.items() if finding.name.startswith(name) and unit), None)
    check: dict[str, Any] = {
        "componentType": "invariant",
        "status": status,
        "time": finding.since.isoformat(),
        "observedValue": finding.observed if finding.value is None else finding.value,
    }
    if finding.value is not None and unit is not None:
        check["observedUnit"] = unit
    if status != "pass":
        check["output"] = f"{finding.observed}; limit: {finding.limit}; {finding.advice}"
    return check
