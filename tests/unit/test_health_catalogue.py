"""docs/health.md tells of every invariant."""

from __future__ import annotations

from tracker.runtime.settings import PROJECT_ROOT

from services.health_monitor.catalogue import catalogue


def test_the_table_of_the_documentation_is_that_of_the_code() -> None:
    page = (PROJECT_ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    assert catalogue() in page, "run `python -m services.health_monitor.catalogue` and put its table there"
