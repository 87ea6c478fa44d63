"""How each invariant of the group "load" is broken and mended."""

from __future__ import annotations

from ward import Drill

DRILLS: tuple[Drill, ...] = ()
