"""When work is due, and how long failures are waited out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError
from tracker.domain.job import JobKind
from tracker.runtime.retraining_rules import load_retraining_rules
from tracker.runtime.settings import PROJECT_ROOT

CONFIGS = PROJECT_ROOT / "configs"
NOW = datetime(2024, 3, 2, 1, 30, tzinfo=UTC)


def changed(folder: Path, old: str, new: str) -> Path:
    text = (CONFIGS / "ml_retrainer.toml").read_text()
    assert old in text
    (folder / "ml_retrainer.toml").write_text(text.replace(old, new))
    return folder


def test_what_was_never_tried_is_due_in_the_order_in_which_it_is_done() -> None:
    rules = load_retraining_rules(CONFIGS)
    assert [(work.kind, work.strategy) for work in rules.due(NOW, {})] == [
        (kind, strategy) for kind in JobKind for strategy in rules.strategies
    ]


@pytest.mark.parametrize(
    ("kind", "last", "due"),
    [
        (JobKind.TRAIN, NOW - timedelta(minutes=19), False),
        (JobKind.TRAIN, NOW - timedelta(minutes=21), True),
        (JobKind.TRAIN, NOW - timedelta(days=9), True),
        (JobKind.WATCH, NOW - timedelta(minutes=59), False),
        (JobKind.WATCH, NOW - timedelta(minutes=60), True),
        (JobKind.BUILD_LABELS, NOW - timedelta(hours=5), False),
        (JobKind.BUILD_LABELS, NOW - timedelta(hours=6), True),
    ],
)
def test_work_is_due_by_its_last_try(kind: JobKind, last: datetime, due: bool) -> None:
    rules = load_retraining_rules(CONFIGS)
    started = {(each.value, strategy): NOW for each in JobKind for strategy in rules.strategies}
    started[(kind.value, "dca")] = last
    assert [(work.kind, work.strategy) for work in rules.due(NOW, started)] == [(kind, "dca")] * due


def test_what_has_no_schedule_is_never_due(tmp_path: Path) -> None:
    rules = load_retraining_rules(changed(tmp_path, "watch = { every_minutes = 60 }", ""))
    assert {work.kind for work in rules.due(NOW, {})} == {JobKind.BUILD_LABELS, JobKind.TRAIN}


def test_waits_double_up_to_the_longest() -> None:
    retry = load_retraining_rules(CONFIGS).retry
    waits = [retry.wait(failures).total_seconds() for failures in (1, 2, 3, 7, 1000)]
    assert waits == [60, 120, 240, 3600, 3600]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("train = 60", "", "longest_minutes: train is missing"),
        ('daily_at = "01:10"', 'daily_at = "25:10"', "daily_at"),
        ("memory_limit_mb = 2048", "memory_limit_mb = 12", "memory_limit_mb = 12"),
        ("train = 60", "train = 0", "each must be above 0"),
        ('"swing", ', '"dca", ', "one is named twice"),
        ("tries = 4", "tries = 0", "tries = 0"),
        ("keep_days = 180", "keep = 180", "keep"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"ml_retrainer\.toml: .*{words}"):
        load_retraining_rules(changed(tmp_path, old, new))
