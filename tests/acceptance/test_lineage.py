"""From a signal to its prediction, orders, fills, trade and label in one query, on rows that the services made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.job import JobKind, Work
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.accounts import AccountRules
from tracker.runtime.lease import Lease
from tracker.runtime.live_model import LiveModel
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.database import Database
from tracker.store.models import NewModel, add_model, crown_model, read_model
from tracker.testing.clock import FixedClock
from tracker.testing.models import make_artifact

from services.ml_retrainer.process import MEGABYTE, Assignment, Event, Limits, work_in_process
from services.paper_trader.service import PaperTrader
from services.paper_trader.settings import PaperTraderSettings
from tests.integration.strategy_scanner.conftest import Floor, floor, minutes

__all__ = ["floor", "minutes"]

HOUR = timedelta(hours=1)
OPENED = datetime(2022, 1, 20, 12, tzinfo=UTC)
FRAMES = (Timeframe.H1, Timeframe.M15, Timeframe.M1)
QUERY = (PROJECT_ROOT / "docs" / "models.md").read_text().split("```sql")[1].split("```")[0]


@pytest.mark.timeout(180)
async def test_a_signal_is_followed_to_its_outcome_by_the_documented_query(
    floor: Floor,
    open_database: Callable[[str | None], Awaitable[Database]],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await floor.trade("BTC-USD", (OPENED - 192 * HOUR, OPENED + 60 * HOUR))
    model_id, sha256 = await _champion(await open_database("ml_retrainer"))
    scanner = floor.scanner("dca", model=LiveModel(Strategy("dca"), 0.5))
    settings = load_settings(PaperTraderSettings, {"strategies": "dca", "signal_grace_seconds": None})
    trader = PaperTrader(
        await open_database("paper_trader"), [AccountRules(rules=load_trading_rules(settings.config_dir))], settings,
        FixedClock(OPENED), get_logger("test"),
    )  # fmt: skip
    for hours in range(0, 61, 12):
        await floor.close(OPENED + hours * HOUR, frames=FRAMES)
        await floor.run(scanner)
        while await trader.run_once():
            pass

    # The retrainer's worker labels the same bars.
    monkeypatch.setenv("DATABASE_URL", database_url)
    labelled = await _labels(await open_database("ml_retrainer"))
    assert labelled["setups"] > 0
    rows = await floor.fetch(QUERY.rstrip().rstrip(";"))

    signals = await floor.fetch("SELECT signal_id FROM tracker.signals WHERE model_id IS NOT NULL")
    assert len(signals) > 0
    assert len({(row["strategy"], row["decided_at"]) for row in rows}) == len(signals)
    assert {(row["model_id"], row["sha256"]) for row in rows} == {(model_id, sha256)}
    assert all(row["probability"] >= row["threshold"] == 0.5 for row in rows)
    fills = await floor.fetch("SELECT sum(quantity) AS bought FROM tracker.fills WHERE side = 'buy'")
    assert sum(row["quantity"] for row in rows if row["side"] == "buy") == fills[0]["bought"]
    trades = {(row["decided_at"], row["exit_reason"], row["pnl"]) for row in rows if row["pnl"] is not None}
    kept = await floor.fetch("SELECT decided_at, exit_reason, pnl FROM tracker.trade_logs")
    assert len(kept) > 0
    assert trades == {tuple(row.values()) for row in kept}
    # A trade that ended has a label that says the same of its sign, but for what the account's size does.
    ended = [row for row in rows if row["pnl"] is not None]
    assert {row["outcome"] for row in ended} <= {"win", "loss"}
    assert all((row["pnl"] > 0) == (row["net_return"] > 0) == (row["outcome"] == "win") for row in ended)


async def _champion(database: Database) -> tuple[int, str]:
    artifact = make_artifact(1)
    new = NewModel(
        strategy="dca", learnt_through=EPOCH, window_from=EPOCH, known_from=EPOCH, feature_hash=FEATURE_SET.hash,
        label_config="l", config_hash="c", sha256=artifact_hash(artifact), artifact=artifact, artifact_path=None,
        calibration={"slope": 1.0, "intercept": 0.0}, metrics={}, lineage={}, card="<p>", importance=[],
    )  # fmt: skip
    async with database.transaction() as transaction:
        model_id, _ = await add_model(transaction, new)
        await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "better")
        await transaction.commit()
    return model_id, new.sha256


async def _labels(database: Database) -> Event:
    lease = Lease(database, "ml_retrainer", "ml_retrainer", "test", 300, SystemClock())
    assert await lease.acquire()
    work = Work(kind=JobKind.BUILD_LABELS, strategy="dca", reason="a test")
    limits = Limits(memory_bytes=1_500 * MEGABYTE, seconds=120, end_seconds=5)
    told: list[Event] = []
    assignment = Assignment(work=work, lease="ml_retrainer", holder=lease.holder, limits=limits)
    done = await work_in_process(assignment, told.append)
    assert any(each["event"] == "progress" for each in told)
    return done
