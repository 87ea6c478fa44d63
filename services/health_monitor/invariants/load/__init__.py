"""There is room: in memory, on the disk, in the database and in time."""

from services.health_monitor.invariants.base import Group

LOAD = Group(name="load", invariants=(), sources=())
