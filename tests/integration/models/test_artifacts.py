"""Models whose bytes are in a bucket: kept there, fetched once, checked, and gone without when they cannot be had."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from model_world import CONFIG_DIR, World
from pydantic import SecretStr
from tracker.domain.errors import ArtifactUnavailableError, ConfigError, ModelError
from tracker.domain.signal import Strategy
from tracker.quant.learning.model import Trained
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime import model_registry as registry
from tracker.runtime.artifacts import (
    MOST_CACHED,
    ArtifactSettings,
    ArtifactStore,
    CachedArtifacts,
    artifact_path,
    configured_artifacts,
)
from tracker.runtime.live_model import LiveModel, model_named
from tracker.runtime.model_training import store_training
from tracker.runtime.retry import Policy
from tracker.runtime.settings import environment
from tracker.runtime.stored_registry import StoredRegistry
from tracker.runtime.supabase_artifacts import SupabaseArtifacts
from tracker.store.models import crown_model, read_model, read_stored
from tracker.testing.storage import BUCKET, KEY, StorageStandIn, storage_stand_in

QUICK = Policy(initial_seconds=0.01, longest_seconds=0.02, attempts=3, failures=5, cool_down_seconds=60)


@dataclass(slots=True)
class Bucket:
    """A stand-in, and who asks it."""

    server: StorageStandIn
    settings: ArtifactSettings
    cache: Path

    def store(self, **changes: object) -> SupabaseArtifacts:
        return SupabaseArtifacts(self.settings.model_copy(update=changes), QUICK)

    def cached(self) -> CachedArtifacts:
        return CachedArtifacts(self.store(), self.cache)


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[Bucket]:
    """An empty bucket."""
    async with storage_stand_in() as server:
        settings = ArtifactSettings(bucket=BUCKET, url=server.url, key=SecretStr(KEY), cache_dir=tmp_path / "cache")
        yield Bucket(server, settings, tmp_path / "cache")


async def stored_in(world: World, trained: Trained, artifacts: ArtifactStore) -> int:
    async with world.database.transaction() as transaction:
        found = await store_training(transaction, world.which, trained, world.config, "test", artifacts)
        await transaction.commit()
    return found.model_id


async def test_bytes_go_there_and_back_and_are_fetched_once(world: World, bucket: Bucket) -> None:
    artifact = world.edged.fitted.artifact
    path = artifact_path("swing", artifact_hash(artifact))
    model_id = await stored_in(world, world.edged, bucket.store())
    # The same bytes once more are the same model, and writing them again does no harm.
    assert await stored_in(world, world.edged, bucket.store()) == model_id
    assert bucket.server.files == {path: artifact}
    async with world.database.transaction() as transaction:
        row = await read_stored(transaction, model_id)
        assert row is not None
        assert (row.artifact, row.artifact_path) == (None, path)
        bucket.server.asked.clear()
        for _ in range(3):
            model = await model_named(transaction, model_id, 0.55, StoredRegistry(bucket.cached()))
        scorer = await registry.load_scorer(transaction, model_id, bucket.cached())
        with pytest.raises(ModelError, match="has its bytes in object storage, and MODEL_BUCKET is not set here"):
            await registry.load_scorer(transaction, model_id)
    assert bucket.server.asked == [f"GET {path}"]
    window = world.edged.window.features[:50]
    assert scorer.score(window).tolist() == world.edged.scorer.score(window).tolist()
    assert model.scorer.score(window).tolist() == scorer.score(window).tolist()


@pytest.mark.parametrize("faults", [[503], ["drop"], ["plain", 429], ["drop", 500]])
async def test_what_passes_is_tried_again(bucket: Bucket, faults: list[int | str]) -> None:
    store = bucket.store()
    bucket.server.faults.extend(faults)
    await store.keep("swing/a.ubj", b"bytes")
    assert bucket.server.files == {"swing/a.ubj": b"bytes"}
    bucket.server.faults.extend(faults)
    assert await store.fetch("swing/a.ubj") == b"bytes"
    assert len(bucket.server.asked) == 2 * (len(faults) + 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, f"bucket {BUCKET} at http://.* could not fetch swing/a.ubj: 404 Object not found"),
        ({"bucket": "other"}, "bucket other at .* 404 Bucket not found"),
        ({"key": SecretStr("wrong-key")}, "403 signature verification failed"),
    ],
)
async def test_what_is_refused_is_not_asked_again(bucket: Bucket, changes: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError, match=says) as refused:
        await bucket.store(**changes).fetch("swing/a.ubj")
    assert not refused.value.retryable
    assert len(bucket.server.asked) == 1
    assert "key" not in str(refused.value)


async def test_what_fails_for_long_is_left_alone(bucket: Bucket) -> None:
    store = bucket.store()
    bucket.server.faults.extend([503] * 10)
    for _ in range(2):
        with pytest.raises(ArtifactUnavailableError, match="503 asked for") as failed:
            await store.fetch("swing/a.ubj")
        assert failed.value.retryable
    with pytest.raises(ArtifactUnavailableError, match="left alone"):
        await store.fetch("swing/a.ubj")
    assert len(bucket.server.asked) == 6
    nobody = bucket.store(url="http://127.0.0.1:1")
    with pytest.raises(ArtifactUnavailableError, match="ConnectError"):
        await nobody.fetch("swing/a.ubj")


async def test_other_bytes_than_were_stored_are_refused_and_the_scanner_goes_on(world: World, bucket: Bucket) -> None:
    model_id = await stored_in(world, world.edged, bucket.store())
    (path,) = bucket.server.files
    good = bucket.server.files[path]
    bucket.server.files[path] = good[:-1] + b"?"
    async with world.database.transaction() as transaction:
        await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "a drill")
        await transaction.commit()
    live = LiveModel(Strategy("swing"), 0.55, StoredRegistry(bucket.cached()))
    async with world.database.transaction() as transaction:
        await live.refresh(transaction)
        assert live.champion is None
        assert live.trouble is not None
        assert live.trouble.startswith(f"model {model_id}: the bytes under {path} have sha256 ")
        assert list(bucket.cache.glob("*")) == []
        # Nor while nobody answers; once they are there again it is taken over at the next close.
        bucket.server.files[path] = good
        bucket.server.faults.extend([503] * 3)
        assert not await live.refresh(transaction, again=True)
        assert "503" in str(live.trouble)
        assert await live.refresh(transaction, again=True)
    assert live.champion is not None
    assert (live.champion.model_id, live.trouble) == (model_id, None)
    # A damaged file in the cache counts for nothing, and is made good.
    (here,) = bucket.cache.glob("*.ubj")
    here.write_bytes(b"rubbish")
    assert await bucket.cached().fetch(path) == good
    assert here.read_bytes() == good


async def test_commands_find_the_bucket_by_the_environment(
    world: World, bucket: Bucket, database_url: str
) -> None:
    one = await stored_in(world, world.blind, bucket.store())
    two = await stored_in(world, world.edged, bucket.store())
    async with world.database.transaction() as transaction:
        for each in (one, two):
            await crown_model(transaction, await read_model(transaction, each), "promote", "test", "a drill")
        await transaction.commit()

    async def rollback() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.control", "models", "rollback", "swing", "--reason", "a drill",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**environment(), "DATABASE_URL": database_url, "MODEL_BUCKET": BUCKET,
                 "SUPABASE_URL": bucket.server.url, "SUPABASE_SERVICE_KEY": KEY, "MODEL_CACHE_DIR": str(bucket.cache)},
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    path = artifact_path("swing", artifact_hash(world.blind.fitted.artifact))
    bucket.server.files[path] = b"other"
    code, out = await rollback()
    assert code not in (None, 0)
    assert f"model {one}: the bytes under {path} have sha256" in " ".join(out.split())
    assert KEY not in out
    bucket.server.files[path] = world.blind.fitted.artifact
    code, out = await rollback()
    assert code == 0, out
    async with world.database.transaction() as transaction:
        assert (await read_model(transaction, one)).status == "champion"


async def test_a_model_without_bytes_is_not_registered(world: World, bucket: Bucket) -> None:
    bucket.server.faults.extend([500] * 3)
    with pytest.raises(ArtifactUnavailableError, match="could not keep swing/"):
        await stored_in(world, world.edged, bucket.store())
    async with world.database.transaction() as transaction:
        assert await transaction.fetch("models.list", None) == []


async def test_the_cache_forgets_the_oldest_and_can_be_missing(bucket: Bucket, tmp_path: Path) -> None:
    cached = bucket.cached()
    for number in range(MOST_CACHED + 3):
        artifact = b"%d" % number
        await cached.keep(artifact_path("swing", artifact_hash(artifact)), artifact)
    assert len(list(bucket.cache.iterdir())) == MOST_CACHED
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    path = artifact_path("swing", artifact_hash(b"1"))
    assert await CachedArtifacts(bucket.store(), blocked / "cache").fetch(path) == b"1"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": ""}, "SUPABASE_URL is missing, and MODEL_BUCKET = 'models' needs it"),
        ({"key": SecretStr("")}, "SUPABASE_SERVICE_KEY is missing"),
        ({"url": "example.org"}, "SUPABASE_URL = 'example.org' does not begin with https://"),
    ],
)
def test_half_a_configuration_is_refused(changes: dict[str, object], says: str) -> None:
    whole = ArtifactSettings(bucket=BUCKET, url="https://x.example", key=SecretStr(KEY))
    assert isinstance(configured_artifacts(whole), CachedArtifacts)
    assert configured_artifacts(whole.model_copy(update={"bucket": ""})) is None
    with pytest.raises(ConfigError, match=says):
        configured_artifacts(whole.model_copy(update=changes))


def test_who_is_told_of_no_bucket_does_not_import_its_client() -> None:
    code = "import sys; import services.strategy_scanner.__main__; print('storage3' in sys.modules)"
    asked = [sys.executable, "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=CONFIG_DIR.parent)
    assert done.stdout.strip() == "False"
