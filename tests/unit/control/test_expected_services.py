"""What the health monitor waits for is what the table of services has."""

from __future__ import annotations

from services.control.fleet import load_fleet
from services.health_monitor.settings import EXPECTED


def test_every_service_that_beats_is_expected_to() -> None:
    beating = {each.name for each in load_fleet().service if each.role is not None and not each.development_only}
    assert set(EXPECTED.split(",")) == beating - {"health_monitor"}
