"""TOML config files read into frozen, validated shapes."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from tracker.domain.errors import ConfigError
from tracker.runtime.settings import describe

T = TypeVar("T")


def load_toml(path: Path, shape: type[T]) -> T:
    """Read `path` into `shape` (a pydantic model or an annotated dataclass).

    Raises ConfigError naming file, field and value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    try:
        return TypeAdapter(shape).validate_python(raw)
    except ValidationError as error:
        raise ConfigError(describe(str(path), error)) from None


def config_hash(shape: object) -> str:
    """Return the identity of a config: sha256 over its canonical JSON, first 16 hex digits."""
    plain = TypeAdapter(type(shape)).dump_python(shape, mode="json")
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
