"""The two files in which a run of the demo is told, each written whole or not at all."""

import json
import os
from pathlib import Path

from labeling.demo.page import render_page
from labeling.demo.report import DemoReport, as_json

JSON_FILE, PAGE_FILE = "report.json", "report.html"


def write_report(directory: Path, report: DemoReport) -> Path:
    """Write report.json and report.html into `directory`; returns the path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / JSON_FILE, json.dumps(as_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(directory / PAGE_FILE, render_page(report))
    return directory / PAGE_FILE


def _write(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    staging.write_text(text, encoding="utf-8", errors="replace")  # a model may write half a surrogate pair
    staging.replace(path)
