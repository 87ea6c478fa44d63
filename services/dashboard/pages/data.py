"""Data: how far each stage has come, what is missing, and what the database holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui
from tracker.store.pages.data import FlowFacts, StoreFacts, read_flow, read_stored

from services.dashboard import formats
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.grid import Grid
from services.dashboard.elements.parts import Stat, section, stack
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.reader import Question

FLOW = Question(read=read_flow)
STORED = Question(read=read_stored, seconds=60.0, with_bars=False)
WATERMARKS = (
    Column(name="stage", label="Stage"), Column(name="name", label="Of"),
    Column(name="closed_through", label="Done up to", look="moment"),
    Column(name="behind_seconds", label="Behind", look="seconds"),
    Column(name="updated_at", label="Moved", look="ago"),
)  # fmt: skip
GAPS = (
    Column(name="state", label="State", look="gap", width=110), Column(name="symbol", label="Symbol", width=110),
    Column(name="timeframe", label="Bars", width=75), Column(name="starts_at", label="From", look="moment", width=130),
    Column(name="ends_at", label="To", look="moment", width=130), Column(name="minutes", label="Minutes", look="count"),
    Column(name="cause", label="Cause", look="words"), Column(name="attempts", label="Asked", look="count"),
    Column(name="healed_bars", label="Healed", look="count", hint="last_error"),
)  # fmt: skip
BACKFILLS = (
    Column(name="symbol", label="Symbol"), Column(name="timeframe", label="Bars", width=75),
    Column(name="done_share", label="Fetched", look="percent"), Column(name="done", label="Pieces", look="count"),
    Column(name="planned", label="To do", look="count"),
    Column(name="failed", label="Failed", look="count", hint="last_failure"),
    Column(name="bars", label="Rows", look="count"), Column(name="first_at", label="From", look="day"),
    Column(name="last_at", label="To", look="day"),
)  # fmt: skip
PARTITIONS = (
    Column(name="month", label="Month", look="month"), Column(name="where", label="Where"),
    Column(name="rows_estimate", label="Rows", look="count"), Column(name="bytes", label="Size", look="bytes"),
    Column(name="order", label="In order of its key"),
)  # fmt: skip
SIZES = (
    Column(name="name", label="Table"), Column(name="parts", label="Parts", look="count"),
    Column(name="rows_estimate", label="Rows", look="count"), Column(name="bytes", label="Size", look="bytes"),
    Column(name="dead_rows", label="Dead rows", look="count"),
)  # fmt: skip
TASKS = (
    Column(name="task", label="Task", look="words"), Column(name="state", label="Outcome", look="status", hint="error"),
    Column(name="started_at", label="Last run", look="ago"), Column(name="seconds", label="Took", look="brief"),
)  # fmt: skip
REJECTED = (
    Column(name="received_at", label="Received", look="moment"), Column(name="source", label="From"),
    Column(name="symbol", label="Symbol"), Column(name="timeframe", label="Bars"),
    Column(name="reason", label="Why not", look="wrapped"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page."""
    with section("Now", span=12), ui.element("div").classes("stats"):
        gaps_open, empty, healed = Stat("Open gaps"), Stat("Without trades"), Stat("Healed")
        slowest = Stat("Slowest stage")
    with section("Stages", span=6, note="how far each has come, in event time"):
        stages = SmallTable(WATERMARKS, "Nothing has come yet: the first minute that closes is the first mark.")
    with stack(6):
        with section("Gaps", note="open ones are still asked for; the last seven days of the others"):
            gaps = Grid(GAPS, "No bar is missing", row_id="key", height=250)
        with section("Months of bars"):
            partitions = SmallTable(PARTITIONS, "There is no month yet: it is made with its first bar.")

    def show(facts: FlowFacts) -> None:
        stages.set_rows(facts.watermarks)
        gaps.set_rows({**each, "key": f"{each['symbol']} {each['starts_at']}"} for each in facts.gaps)
        for stat, state, tone, note in (
            (gaps_open, "open", "warn", "still asked for"),
            (empty, "confirmed_empty", "plain", "the vendor says there were none"),
            (healed, "healed", "plain", "fetched afterwards"),
        ):
            count, minutes = totals(facts.gap_states, state)
            stat.show(formats.count(count), f"{formats.count(minutes)} min, {note}", tone if count else "plain")
        slowest.show(*slowest_stage(facts.watermarks))

    await page.reader.watch(show, FLOW)
    await _stored(page, partitions)


async def _stored(page: PageContext, partitions: SmallTable) -> None:
    with section("History", span=12, note="what was wanted of each symbol, and how much of it is here"):
        backfills = Grid(BACKFILLS, "No history was asked for yet: `tracker backfill` does", row_id="key", height=330)
    with section("What takes the disk", span=6):
        sizes = SmallTable(SIZES, "There is no table yet.")
    with stack(6):
        with section("Upkeep"):
            tasks = SmallTable(TASKS, "No task has run yet: the data scheduler does them, or `tracker maintain`.")
        with section("Bars that were not believed"):
            rejected = SmallTable(REJECTED, "Every bar that came could be believed.")

    def show(facts: StoreFacts) -> None:
        backfills.set_rows({**each, "key": f"{each['symbol']} {each['timeframe']}"} for each in facts.backfills)
        partitions.set_rows(month_row(each) for each in facts.partitions)
        sizes.set_rows(facts.sizes)
        tasks.set_rows({**each, "state": task_state(each["ok"])} for each in facts.tasks)
        rejected.set_rows(facts.rejected)

    await page.reader.watch(show, STORED)


def totals(states: Sequence[dict[str, Any]], state: str) -> tuple[int, int]:
    """Return how many gaps are in a state, and their minutes."""
    found = next((each for each in states if each["state"] == state), None)
    return (found["gaps"], found["minutes"]) if found else (0, 0)


def slowest_stage(marks: Sequence[dict[str, Any]]) -> tuple[str, str, str]:
    """Return value, note and tone for the stage that lies furthest behind the bars that it works on."""
    behind = [each for each in marks if each["behind_seconds"] is not None and each["stage"] != "labels"]
    worst = max(behind, key=lambda each: each["behind_seconds"], default=None)
    if worst is None:
        return formats.NONE, "nothing has come yet", "plain"
    if worst["behind_seconds"] <= 0:
        return "none", "every stage has done the newest close", "plain"
    late = "warn" if worst["behind_seconds"] > 3600 else "plain"
    return formats.seconds(worst["behind_seconds"]), f"{worst['part']} is behind the bars", late


def month_row(month: dict[str, Any]) -> dict[str, Any]:
    """Return a month as a table shows it."""
    where = "archive" if month["place"] == "ohlc_archive" else "ahead" if month["is_ahead"] else "live"
    return {**month, "where": where, "order": "yes" if month["clustered"] else "not yet"}


def task_state(ok: bool | None) -> str:
    """Return how a task ended."""
    return "running" if ok is None else "ok" if ok else "fail"
