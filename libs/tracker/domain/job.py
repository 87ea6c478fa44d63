"""Work on models that is queued: what it is, and how a try of it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """What can be done, in the order in which it is done where several wait."""

    BUILD_LABELS = "build_labels"
    TRAIN = "train"
    WATCH = "watch"

    @property
    def purpose(self) -> str:
        """What it is for, in a few words."""
        return _PURPOSES[self]


_PURPOSES = {
    JobKind.BUILD_LABELS: "what became of the setups since the last time",
    JobKind.TRAIN: "a new model, promoted where it passes the gate",
    JobKind.WATCH: "whether the models still do what was promised",
}


class RunOutcome(StrEnum):
    """How a try ended."""

    DONE = "done"
    RETRIED = "retried"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something to be done for one strategy; `reason` says who or what wants it."""

    kind: JobKind
    strategy: str
    reason: str

    @property
    def key(self) -> str:
        """What it is known by: of equal keys one waits or runs at a time."""
        return f"{self.kind.value}:{self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that was taken from the queue; `failures` of earlier tries, those whose process vanished included."""

    job_id: int
    work: Work
    failures: int
