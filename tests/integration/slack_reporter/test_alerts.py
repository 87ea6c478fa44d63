"""What goes bad is told in Slack, once; its end stands in the same message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reporter_house import NOON, ReporterHouse, rules


async def test_an_alert_is_one_message_from_its_beginning_to_its_end(house: ReporterHouse) -> None:
    await house.finding("heartbeat paper_trader", ok=False, observed="no heartbeat <40 s>")
    await house.run(60)
    await house.finding("heartbeat paper_trader", ok=True, observed="pass, 2 s ago")
    await house.run(120)
    (root,) = house.slack.messages
    assert root.said == [
        "[SIMULATED] critical: heartbeat paper_trader: no heartbeat &lt;40 s&gt;",
        "[SIMULATED] heartbeat paper_trader recovered after 1 min",
    ]
    assert "~`heartbeat paper_trader`~  *recovered after 1 min*" in root.blocks[0]["text"]["text"]
    assert await house.outbox() == [("post", "delivered", 1, False), ("edit", "delivered", 1, False)]
    found = await house.sql("SELECT state, thread_channel, thread_ts, episodes FROM dashboards.alerts")
    assert [tuple(row.values()) for row in found] == [("recovered", root.channel, root.ts, 1)]


async def test_what_comes_back_soon_joins_the_thread(house: ReporterHouse) -> None:
    for _ in range(3):
        await house.finding("stage lag", ok=False)
        await house.run(40)
        await house.finding("stage lag", ok=True)
        await house.run(80)
    (root,) = house.slack.roots
    said = [each.text.split("`")[2] for each in house.slack.thread(root)]
    assert said == [" *is back* (1x): 12", " *is back* (2x): 12"]
    assert root.text == "[SIMULATED] stage lag recovered after 40 s"
    assert "came back 2x" in root.blocks[1]["elements"][0]["text"]


async def test_many_at_once_are_one_message_which_follows_each(house: ReporterHouse) -> None:
    for number in range(9):
        await house.finding(f"fact {number}", ok=False, severity="critical" if number < 2 else "warning")
    await house.run(150)
    (first, second, storm) = house.slack.roots
    assert [first.text, second.text] == [f"[SIMULATED] critical: fact {number}: 12" for number in range(2)]
    assert storm.text.startswith("[SIMULATED] 7 alerts at once, 7 of them still so")
    for number in range(8):
        await house.finding(f"fact {number}", ok=True, severity="warning")
    await house.run(90)
    assert storm.text == "[SIMULATED] 7 alerts at once, 1 of them still so"
    assert len(house.slack.messages) == 3


async def test_the_reporter_notices_that_nobody_watches(house: ReporterHouse) -> None:
    for _ in range(30):
        house.clock.advance(5)
        await house.service.run_once()
    (root,) = house.slack.messages
    assert root.text.startswith("[SIMULATED] critical: health monitor looks: its last look was ")
    await house.run(75)
    assert root.text.startswith("[SIMULATED] health monitor looks recovered after ")


async def test_what_was_found_stays_told_while_nobody_watches(house: ReporterHouse) -> None:
    await house.finding("gaps", ok=False)
    await house.run(30)
    for number in range(60):
        house.clock.advance(5)
        if number == 30:
            await house.sql("DELETE FROM tracker.health_findings")
        await house.service.run_once()
    assert [each.text.split(": ")[1] for each in house.slack.roots] == ["gaps", "health monitor looks"]
    await house.run(70)
    assert [each.text.split(" after ")[0] for each in house.slack.roots] == [
        "[SIMULATED] gaps recovered", "[SIMULATED] health monitor looks recovered"]  # fmt: skip


async def test_a_halt_is_told_at_once_and_turns_worse_in_a_message_of_its_own(house: ReporterHouse) -> None:
    await house.account()
    for protection in ("daily_loss", "halt"):
        await house.sql(
            "INSERT INTO tracker.protection_locks (account, protection, locked_at, until, observed, note)"
            " VALUES ('paper', $1, $2::timestamptz - interval '1 minute', $2::timestamptz + interval '1 hour', 0.1,"
            " $1)", protection, house.clock.now(),
        )
        await house.run(10, step=1)
    reduced, halted = house.slack.messages
    said = "[SIMULATED] warning: trading paper: REDUCING, until 2024-03-01 13:00 UTC: daily_loss"
    assert reduced.said[0].startswith(said)
    assert reduced.text == "[SIMULATED] trading paper is critical now"
    assert halted.text.startswith("[SIMULATED] critical: trading paper: HALTED")


async def test_what_happens_to_models_is_told_once(house: ReporterHouse) -> None:
    await house.sql(
        "INSERT INTO tracker.models (strategy, learnt_through, window_from, known_from, feature_hash, label_config,"
        " config_hash, sha256, artifact, calibration, metrics, lineage, card) VALUES ('dca', $1, $1, $1, 'f', 'l', 'c',"
        " repeat('a', 64), 'x', '{}', '{}', '{}', '')", NOON,
    )  # fmt: skip
    for action in ("promote", "demote"):
        await house.sql(
            "INSERT INTO tracker.model_events (at, strategy, action, model_id, made_by, reason)"
            " VALUES ($1, 'dca', $2, 1, 'watch', 'calibration')", NOON, action,
        )  # fmt: skip
    await house.run(60)
    await house.restart()
    await house.run(60)
    assert [each.text for each in house.slack.messages] == [
        "[SIMULATED] model 1 of dca was promoted by watch: calibration; the rule decides alone",
        "[SIMULATED] model 1 of dca was demoted by watch: calibration; the rule decides alone",
    ]
    found = await house.sql("SELECT name, state FROM tracker.alerts")
    assert [tuple(row.values()) for row in found] == [("model dca", "happened")]


async def test_information_waits_for_the_report(house: ReporterHouse) -> None:
    await house.finding("disk", ok=False, severity="info", observed="grows")
    await house.run(600, step=30)
    assert house.slack.messages == []
    house.clock.moment = NOON.replace(hour=17)
    await house.run()
    (report,) = house.slack.messages
    assert "`disk` grows" in str(report.blocks)


async def test_what_is_quiet_is_not_told(house: ReporterHouse) -> None:
    house.rules = rules(alerts={"quiet": ["disk*"]})
    await house.restart()
    await house.finding("disk growth", ok=False)
    await house.run(120)
    assert house.slack.messages == []


@pytest.mark.parametrize("way", ["webhook", None])
async def test_without_a_bot_a_recovery_is_a_message_or_only_a_row(house: ReporterHouse, way: str | None) -> None:
    await house.restart(way)
    await house.finding("a fact", ok=False)
    await house.run(40)
    await house.finding("a fact", ok=True)
    await house.run(80)
    told = ["critical: a fact: 12", "a fact recovered after 40 s"] if way else []
    assert [each.text for each in house.slack.messages] == [f"[SIMULATED] {each}" for each in told]
    assert (await house.sql("SELECT state FROM dashboards.alerts"))[0]["state"] == "recovered"
    detail = house.service.detail()
    assert detail["delivery"] == (way or "none")
    assert ("note" in detail) == (way is None)


async def test_a_standby_does_nothing_until_the_lease_is_free(house: ReporterHouse) -> None:
    active = house.service
    house.start()
    await house.finding("a fact", ok=False)
    await house.run(60)
    assert house.slack.messages == []
    assert house.service.detail()["role"] == "standby"
    await active.run_once()
    await house.pass_time(1)
    await active.run_once()
    assert len(house.slack.messages) == 1
    assert house.clock.now() - NOON < timedelta(minutes=2)
