"""Where a fleet keeps its data, and where its sockets."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tracker.domain.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """`state_dir` holds data and logs; `runtime_dir` sockets, and is short because their paths must be."""

    state_dir: Path
    runtime_dir: Path

    @classmethod
    def of(cls, state_dir: Path) -> Places:
        """Return the places of the fleet whose data are in `state_dir`."""
        resolved = state_dir.expanduser().resolve()
        identity = hashlib.sha256(str(resolved).encode()).hexdigest()[:8]
        runtime = Path(tempfile.gettempdir()).resolve() / f"tracker-{os.getuid()}-{identity}"
        return cls(state_dir=resolved, runtime_dir=runtime)

    @property
    def logs(self) -> Path:
        """Folder with one log file a service."""
        return self.state_dir / "logs"

    @property
    def postgres_data(self) -> Path:
        """Data folder of the embedded database."""
        return self.state_dir / "postgres"

    def prepare(self) -> None:
        """Make the folders.

        Raises ConfigError where one cannot be made, or where the runtime folder is another user's: it lies
        in a place where everyone may write.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self.runtime_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            facts = self.runtime_dir.lstat()
        except OSError as error:
            raise ConfigError(f"{error.filename}: the folder cannot be made: {error.strerror}") from None
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise ConfigError(f"{self.runtime_dir} exists and is not this user's folder: remove it")
        # 711: the account that Postgres runs as must get through to its socket, and no one else in.
        self.runtime_dir.chmod(0o711)
