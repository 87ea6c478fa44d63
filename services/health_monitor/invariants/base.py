"""What an invariant sees and says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from tracker.domain.errors import TrackerError
from tracker.store.database import Transaction
from tracker.store.health.facts import Facts

from services.health_monitor.settings import MonitorSettings

F = TypeVar("F", bound=Facts)


class FactsUnreadError(TrackerError):
    """Facts that an invariant needs could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Stands in the place of facts that could not be read, and says why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a check may look at: the settings, and facts by their class."""

    settings: MonitorSettings
    facts: Mapping[type[Facts], Facts | Unread]

    def of(self, kind: type[F]) -> F:
        """Return the facts of a class.

        Raises FactsUnreadError where they could not be read.
        """
        found = self.facts.get(kind, Unread(reason="they were not read yet"))
        if isinstance(found, Unread):
            raise FactsUnreadError(found.reason)
        assert isinstance(found, kind)  # noqa: S101 - they are kept by their class
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where facts of one class come from.

    `seconds` names the setting that says how often they are read; whatever it says, reading takes no more than a
    twentieth of the time. It is given up after `look_timeout_seconds`. `follow` makes, of facts and those of the look
    before, facts that remember.
    """

    kind: type[Facts]
    read: Callable[[Transaction, MonitorSettings], Awaitable[Facts]]
    seconds: str = "every_seconds"
    follow: Callable[[Facts, Facts], Facts] | None = None


def source(kind: type[F], read: Callable[[Transaction], Awaitable[F]], seconds: str = "every_seconds") -> Source:
    """Return a source of facts whose reading needs no settings."""
    return Source(kind=kind, read=lambda transaction, _: read(transaction), seconds=seconds)


def remembering(kind: type[F], read: Callable[[Transaction], Awaitable[F]], follow: Callable[[F, F], F]) -> Source:
    """Return a source of facts that remember; `follow` is given those that were read, and those of before."""

    def followed(new: Facts, old: Facts) -> Facts:
        assert isinstance(new, kind)  # noqa: S101 - they are kept by their class
        assert isinstance(old, kind)  # noqa: S101
        return follow(new, old)

    return Source(kind=kind, read=lambda transaction, _: read(transaction), follow=followed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check saw of one subject; `value` is what was observed as a number, where it is one.

    `subject` follows the invariant's name in that of the finding; empty where there is but one. `advice` replaces the
    invariant's own.
    """

    observed: str
    limit: str
    ok: bool
    subject: str = ""
    value: float | None = None
    advice: str = ""


class Invariant(ABC):
    """A fact that must hold while the fleet runs; the docstring says which.

    `name` begins the names of its findings, `unit` is that of their values, `settings` are those that hold its limits.
    """

    name: ClassVar[str]
    group: ClassVar[str]
    severity: ClassVar[str]
    advice: ClassVar[str]
    unit: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The invariants of a group, in the order in which they are shown, and the facts that they look at."""

    name: str
    invariants: tuple[type[Invariant], ...]
    sources: tuple[Source, ...]
