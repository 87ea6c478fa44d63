"""The direction of the imports, held by the same contracts as `lint-imports`."""

from __future__ import annotations

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports
from tracker.runtime.settings import PROJECT_ROOT


def test_imports_keep_the_contracts(capsys) -> None:
    status = lint_imports(config_filename=str(PROJECT_ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out
