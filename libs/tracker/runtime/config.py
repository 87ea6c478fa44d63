"""TOML config files read into frozen, validated shapes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from tracker.domain.errors import ConfigError
from tracker.runtime.settings import describe

T = TypeVar("T")


def load_toml(path: Path, shape: type[T]) -> T:
    """Read `path` into `shape` (a pydantic model or an annotated dataclass).

    Raises ConfigError naming file, field and value.
    """
    return shaped(str(path), read_toml(path), shape)


def read_toml(path: Path) -> dict[str, Any]:
    """Read `path` as it is; raises ConfigError where that cannot be done."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def shaped(where: str, raw: Mapping[str, Any], shape: type[T]) -> T:
    """Check plain values against a shape; raises ConfigError naming `where`, field and value."""
    try:
        return TypeAdapter(shape).validate_python(raw)
    except ValidationError as error:
        raise ConfigError(describe(where, error)) from None


def config_hash(shape: object) -> str:
    """Return the identity of a config: sha256 over its canonical JSON, first 16 hex digits."""
    return plain_hash(TypeAdapter(type(shape)).dump_python(shape, mode="json"))


def plain_hash(plain: object) -> str:
    """Return the identity of plain values, such as a TOML file's without its comments: 16 hex digits."""
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
