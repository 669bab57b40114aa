"""Recipes: all that ship are valid, and a misspelt one is an error that helps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from distill.recipes import (
    Phase,
    Recipe,
    names,
    read_budget,
    read_method,
    read_recipe,
    write_recipe,
)
from runtimes.errors import InputError

METHODS = ("blkd", "crkd", "d_kd", "drkd", "no_kd", "ssd_kd", "ssd_kd_plus", "sskd")


def test_every_method_ships() -> None:
    assert tuple(names("methods")) == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_method_names_paper_cost_and_its_own_command(name: str) -> None:
    method = read_method(name)
    assert method.name == name
    assert method.paper
    assert method.cost
    assert method.command.startswith(f"python -m distill train {name} ")


@pytest.mark.parametrize("name", names("budgets"))
def test_budget_is_valid_and_named_after_its_file(name: str) -> None:
    assert read_budget(name).name == name


def test_ssd_kd_has_the_weights_of_the_paper() -> None:
    terms = read_method("ssd_kd").terms
    assert {name: term.weight for name, term in terms.items()} == {
        "wce": 0.1,
        "kd": 0.9,
        "kd_rotated": 2.7,
        "ss": 10.0,
        "drkd": 1.0,
        "crkd": 1000.0,
    }
    assert terms["kd"].temperature == terms["kd_rotated"].temperature == 4.0
    assert (terms["ss"].temperature, terms["ss"].keep) == (0.5, 0.75)


def test_a_recipe_comes_back_from_disk(tmp_path: Path) -> None:
    method = read_method("ssd_kd")
    recipe = Recipe(method, read_budget("cpu"), method.pair, seed=5)
    write_recipe(tmp_path / "recipe.yaml", recipe)
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("weight_decay:", "weight_dekay:"), r"unknown key 'teacher.weight_dekay'.*weight_decay"),
        (("schedule: cosine", "schedule: cosinus"), "cosinus.*plateau, cosine, steps"),
        (("lr: 0.001", "lr: fast"), "'student.lr' is 'fast', expected float"),
        (("lr: 0.001", "lr: 1e-3"), r"'1e-3'.*expected float.*write 1\.0e-3"),
        (("name: cpu", "{"), "not valid YAML"),
        (("name: cpu", "name: ../cpu"), "name is ../cpu, expected letters"),
        (("cache: 84", "cache: 84\ncache: 96"), "'cache' stands twice"),
        (("cache: 84", ""), "'cache' is missing"),
        (("cache: 84", "cache: 2021-13-45"), "not valid YAML: month must be"),
        (("cache: 84", "cache: 2021-12-24"), "'cache' is datetime.date.*expected int"),
        (("cache: 84", "cache: " + "[" * 5000), "not valid YAML"),
        (("views: 4", "views: 3"), "views is 3, expected 1 or 4"),
    ],
)
def test_wrong_settings_are_errors(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    import distill.recipes as package

    text = (Path(package.__file__).parent / "budgets" / "cpu.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(change[0], change[1], 1))
    with pytest.raises(InputError, match=message):
        read_budget(str(path))


def test_unknown_recipe_lists_those_that_ship() -> None:
    with pytest.raises(InputError, match=r"ssdkd.*ssd_kd"):
        read_method("ssdkd")


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", math.nan), ("epochs", math.inf), ("lr_scale", -1.0), ("size", 8)]
)
def test_a_phase_with_a_value_that_could_only_fail_late_is_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key} is"):
        Phase(**{"epochs": 1.0, "size": 96, "batch": 32, key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "value"), [("cache", -5), ("evaluation_size", 0)])
def test_a_budget_with_an_impossible_size_is_refused(key: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{key} is {value}"):
        replace(read_budget("cpu"), **{key: value})


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_no_budget_selects_by_the_divergence_that_only_fine_tuning_measures(role: str) -> None:
    budget = read_budget("cpu")
    stage = replace(getattr(budget, role), select="divergence")
    with pytest.raises(ValueError, match="'divergence'; possible: weighted_loss"):
        replace(budget, **{role: stage})
