"""What the README says is what the project does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from distill.recipes import names
from export.formats import markdown_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_formats_is_that_of_the_code() -> None:
    assert markdown_table() in README


def test_every_method_and_budget_is_named() -> None:
    for name in (*names("methods"), *names("budgets")):
        assert f"`{name}`" in README, name


def test_every_make_target_of_the_readme_exists_and_help_lists_all() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^make ([a-z-]+)", shown, re.MULTILINE)) == phony
    for line in re.findall(r"^make ([a-z -]+?)(?: [A-Z]+=| +#|$)", README, re.MULTILINE):
        assert set(line.split()) <= phony, line


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("RUN=runs/a//", ("run='runs/a' out='artifacts/a'",)),
        ("RUN=~/a/", ("/a' out='artifacts/a'",)),
        ("RUN=it's", ("run='it'\\''s' out='artifacts/it'\\''s'",)),
        ("ONLY=tflite:int8 onnx", ("--only 'tflite:int8' 'onnx'",)),
        ("ONLY=$(touch x);", ("--only '$(touch' 'x);'",)),
        ("DATA=~/my data", ("/my data'",)),
    ],
)
def test_values_of_make_reach_the_commands_as_they_are(
    variable: str, words: tuple[str, ...]
) -> None:
    name, _, value = variable.partition("=")
    escaped = f"{name}={value.replace('$', '$$')}"
    shown = subprocess.run(
        ["make", "-n", "export", escaped], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert all(word in shown for word in words), shown


@pytest.mark.parametrize("run", ["my run", "a:b", "/"])
def test_make_refuses_a_run_that_can_be_no_target(run: str) -> None:
    done = subprocess.run(
        ["make", "-n", "export", f"RUN={run}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "RUN" in done.stderr


@pytest.mark.parametrize("path", sorted(re.findall(r"\]\(([^)#:]+)\)", README)))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists(), path
