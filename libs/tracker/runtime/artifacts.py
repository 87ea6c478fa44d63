"""Where the bytes of models are: in the database, or in a bucket of Supabase Storage where one is configured."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tracker.domain.errors import ConfigError, ModelError
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.scored_by import StoredModel

# Champions and candidates of three strategies, and what they replaced lately.
MOST_CACHED = 24
# Imported only where it is used: what it takes along weighs more than all that scores.
SUPABASE = "tracker.runtime.supabase_artifacts"
_log = get_logger("artifacts")


class ArtifactSettings(BaseSettings):
    """Environment of whoever reads or writes models' bytes; without MODEL_BUCKET they are in the database."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    bucket: str = Field(default="", validation_alias=AliasChoices("MODEL_BUCKET"))
    url: str = Field(default="", validation_alias=AliasChoices("SUPABASE_URL"))
    key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("SUPABASE_SERVICE_KEY"))
    timeout_seconds: float = Field(default=10.0, gt=0, validation_alias=AliasChoices("MODEL_STORAGE_TIMEOUT_SECONDS"))
    cache_dir: Path = Field(
        default=PROJECT_ROOT / ".data" / "models", validation_alias=AliasChoices("MODEL_CACHE_DIR")
    )


class ArtifactStore(Protocol):
    """Keeps bytes under a path that is made of their hash, so that doing anything twice does no harm."""

    async def keep(self, path: str, artifact: bytes) -> None:
        """Keep bytes; raises ModelError, where another try may help ArtifactUnavailableError."""
        ...

    async def fetch(self, path: str) -> bytes:
        """Return what is kept under a path, unchecked; raises as keep."""
        ...


def configured_artifacts(settings: ArtifactSettings | None = None) -> ArtifactStore | None:
    """Return where bytes are kept outside the database, None where nowhere; raises ConfigError naming a variable."""
    asked = load_settings(ArtifactSettings) if settings is None else settings
    if not asked.bucket:
        return None
    for name, value in (("SUPABASE_URL", asked.url), ("SUPABASE_SERVICE_KEY", asked.key.get_secret_value())):
        if not value:
            raise ConfigError(f"environment: {name} is missing, and MODEL_BUCKET = {asked.bucket!r} needs it")
    if not asked.url.startswith(("https://", "http://")):
        raise ConfigError(f"environment: SUPABASE_URL = {asked.url!r} does not begin with https://")
    made: ArtifactStore = import_module(SUPABASE).SupabaseArtifacts(asked)
    return CachedArtifacts(made, asked.cache_dir)


def artifact_path(strategy: str, sha256: str) -> str:
    """Return the path of a model's bytes in a bucket."""
    return f"{strategy}/{sha256}.ubj"


async def with_bytes(stored: StoredModel, artifacts: ArtifactStore | None) -> StoredModel:
    """Return a model with its bytes, wherever they are.

    Raises ModelError where they are not those that were stored or no bucket is configured, ArtifactUnavailableError
    where the bucket does not answer.
    """
    if stored.artifact is not None or stored.artifact_path is None:
        return stored
    where = f"model {stored.model_id}"
    if artifacts is None:
        raise ModelError(f"{where} has its bytes in object storage, and MODEL_BUCKET is not set here")
    try:
        artifact = await artifacts.fetch(stored.artifact_path)
    except ModelError as error:
        raise type(error)(f"{where}: {error}") from None
    if artifact_hash(artifact) != stored.sha256:
        raise ModelError(
            f"{where}: the bytes under {stored.artifact_path} have sha256 {artifact_hash(artifact)[:12]}..., and"
            f" {stored.sha256[:12]}... was stored"
        )
    return replace(stored, artifact=artifact)


class CachedArtifacts:
    """Bytes that were fetched once are at hand; a file that is not what its name says counts for nothing."""

    def __init__(self, inner: ArtifactStore, folder: Path) -> None:
        """Begin with what is in the folder."""
        self._inner = inner
        self._folder = folder

    async def keep(self, path: str, artifact: bytes) -> None:
        """Keep bytes where others find them, and here."""
        await self._inner.keep(path, artifact)
        self._write(path, artifact)

    async def fetch(self, path: str) -> bytes:
        """Return the bytes that are here, else those that are there."""
        here = self._file(path)
        try:
            found = here.read_bytes() if here.is_file() else b""
        except OSError as error:
            found = b""
            self._complain(error)
        if artifact_hash(found) == Path(path).stem:
            return found
        artifact = await self._inner.fetch(path)
        if artifact_hash(artifact) == Path(path).stem:
            self._write(path, artifact)
        return artifact

    def _file(self, path: str) -> Path:
        return self._folder / Path(path).name

    def _write(self, path: str, artifact: bytes) -> None:
        """Write a file, and forget the oldest beyond so many; without a cache bytes are fetched each time."""
        try:
            self._replace(path, artifact)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        _log.warning("the cache of models cannot be used", action="model_cache_failed", folder=str(self._folder),
                     error=str(error))  # fmt: skip

    def _replace(self, path: str, artifact: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(artifact)
        Path(name).replace(self._file(path))
        kept = sorted(self._folder.glob("*.ubj"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in kept[MOST_CACHED:]:
            old.unlink(missing_ok=True)
