"""There is room: in memory, on the disk, in the database and in time."""

from tracker.domain.clock import SystemClock
from tracker.store.health import load as facts

from services.health_monitor.disk import DiskFacts, read_disk
from services.health_monitor.invariants.base import Group, Source, source
from services.health_monitor.invariants.load.delays import (
    AnswersPrompt,
    DayOfBarsFast,
    LatestBarsFast,
    NotificationsTaken,
    ScansPrompt,
)
from services.health_monitor.invariants.load.processes import LoopsPrompt, MemoryWithin, ProcessorFree
from services.health_monitor.invariants.load.sessions import (
    LocksFree,
    PoolBudget,
    ServerConnections,
    TransactionsBusy,
    TransactionsShort,
)
from services.health_monitor.invariants.load.space import (
    DatabaseGrowth,
    DatabaseSize,
    DiskFree,
    LogNotKept,
    TablesBounded,
)
from services.health_monitor.invariants.load.upkeep import DeadRowsFew, TransactionsFrozen

# Of so many reads the median: one that was held up by chance says nothing.
READS = 3

LOAD = Group(
    name="load",
    invariants=(
        PoolBudget, ServerConnections, TransactionsShort, TransactionsBusy, LocksFree, LatestBarsFast, DayOfBarsFast,
        ScansPrompt, AnswersPrompt, NotificationsTaken, DiskFree, DatabaseSize, DatabaseGrowth,
        TablesBounded, LogNotKept, DeadRowsFew, TransactionsFrozen, MemoryWithin, ProcessorFree, LoopsPrompt,
    ),
    sources=(
        source(facts.SessionFacts, facts.read_sessions),
        source(facts.QueueFacts, facts.read_queues),
        Source(kind=DiskFacts, read=read_disk),
        Source(
            kind=facts.ReadFacts,
            read=lambda transaction, _: facts.time_reads(transaction, SystemClock().monotonic, READS),
            seconds="slow_every_seconds",
        ),
        Source(
            kind=facts.UpkeepFacts,
            read=lambda transaction, settings: facts.read_upkeep(transaction, settings.dead_rows_least),
            seconds="slow_every_seconds",
        ),
        source(facts.SizeFacts, facts.read_sizes, "rare_every_seconds"),
    ),
)
