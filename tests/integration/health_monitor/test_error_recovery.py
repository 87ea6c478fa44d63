"""Each invariant of the group "error recovery" is made to break in a real database, and holds again."""

from __future__ import annotations

import pytest
from drills_error_recovery import DRILLS
from ward import Drill, Ward, go_through


@pytest.mark.parametrize("drill", DRILLS, ids=str)
async def test_it_is_seen_red_and_then_green(ward: Ward, drill: Drill) -> None:
    await go_through(drill, ward)
