"""Facts of the group "ml": which model decides, what it says, and whether it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """A strategy that scans: its champion, None where it has none, and since when; what its scanner last asked.

    `running_hash` is that of the features computed last.
    """

    strategy: str
    closed_through: datetime
    model_id: int | None
    known_from: datetime | None
    feature_hash: str | None
    running_hash: str | None
    since: datetime | None
    asked_id: int | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """How many signals a strategy with a champion gave lately, and how many of them no score stands for."""

    strategy: str
    signals: int
    unscored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How a champion's last scores are spread: their number, standard deviation and mean (None without any)."""

    strategy: str
    model_id: int
    scores: int
    spread: float
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The active symbol whose setups are labelled least far, beside how far the strategy has scanned."""

    strategy: str
    closed_through: datetime
    symbol: str
    labelled_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Whether a model's bytes are those that were stored; None where they are not in the database."""

    model_id: int
    strategy: str
    status: str
    intact: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingFacts(Facts):
    """Which model decides for each strategy."""

    deciding: Sequence[Deciding]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFacts(Facts):
    """What champions said of setups, and how far setups are labelled."""

    unscored: Sequence[Unscored]
    confidence: Sequence[Confidence]
    labelled: Sequence[Labelled]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFacts(Facts):
    """The bytes of models that decide or may soon."""

    artifacts: Sequence[Artifact]


async def read_deciding(transaction: Transaction) -> DecidingFacts:
    """Return which model decides for each strategy."""
    rows = await transaction.fetch("health_ml.deciding")
    return DecidingFacts(now=await read_now(transaction), deciding=[Deciding(**dict(row.items())) for row in rows])


async def read_scores(transaction: Transaction, window: timedelta, settle: timedelta) -> ScoreFacts:
    """Return what champions said in a window of event time; a new one has `settle` until it must be asked."""
    unscored = await transaction.fetch("health_ml.unscored", window, settle)
    confidence = await transaction.fetch("health_ml.confidence")
    labelled = await transaction.fetch("health_ml.labels")
    return ScoreFacts(
        now=await read_now(transaction),
        unscored=[Unscored(**dict(row.items())) for row in unscored],
        confidence=[Confidence(**dict(row.items())) for row in confidence],
        labelled=[Labelled(**dict(row.items())) for row in labelled],
    )


async def read_artifacts(transaction: Transaction) -> ArtifactFacts:
    """Return whether the bytes of models are whole."""
    rows = await transaction.fetch("health_ml.artifacts")
    return ArtifactFacts(now=await read_now(transaction), artifacts=[Artifact(**dict(row.items())) for row in rows])
