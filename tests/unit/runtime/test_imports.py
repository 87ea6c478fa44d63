"""A module can be kept from being found, for as long as it takes to import another."""

import importlib
import subprocess
import sys

import pytest
from tracker.runtime.imports import without


def test_a_module_is_not_found_within_and_is_found_after() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hls


def test_what_is_there_already_stays() -> None:
    module = importlib.import_module("colorsys")
    with without("colorsys"):
        assert importlib.import_module("colorsys") is module


def test_logging_takes_no_terminal_library_along() -> None:
    code = "import sys, tracker.runtime.logging; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
