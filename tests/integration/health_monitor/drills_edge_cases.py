"""How each invariant of the group "edge cases" is broken and mended."""

from __future__ import annotations

from ward import Drill

DRILLS: tuple[Drill, ...] = ()
