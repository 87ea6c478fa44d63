"""The pages read nothing but the documented views."""

from __future__ import annotations

import re

from tracker.store.queries import queries

RELATION = re.compile(r"\b(?:FROM|JOIN)\s+(?:LATERAL\s+)?([a-z_]+(?:\.[a-z_]+)?)", re.IGNORECASE)


def test_the_pages_read_only_views_of_the_schema_dashboards() -> None:
    found = [each for each in queries().values() if each.name.startswith("pages_")]
    assert len(found) >= 7
    assert [each.name for each in found if "tracker." in each.text] == []
    named = {name for each in found for name in RELATION.findall(each.text) if "." in name}
    assert named
    assert {name for name in named if not name.startswith("dashboards.")} == set()
