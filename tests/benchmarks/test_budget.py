"""The cost of a budget: measured steps times planned steps, phase by phase."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks.budget import measure_budget
from distill.recipes import Pair, Phase, Recipe, read_budget, read_method


def test_each_phase_costs_its_steps_and_a_method_without_views_has_one() -> None:
    budget = read_budget("sample")
    phases = (Phase(2, 32, 4, views=4), Phase(0.5, 40, 8))
    teacher = replace(budget.teacher, phases=(Phase(1, 32, 4),))
    budget = replace(budget, student=replace(budget.student, phases=phases), teacher=teacher)
    pair = Pair("shufflenet_v2_x1_0", "shufflenet_v2_x0_5")
    for method, views in (("ssd_kd", 4), ("no_kd", 1)):
        recipe = Recipe(read_method(method), budget, pair)
        found = measure_budget(recipe, 40, 0.0, torch.device("cpu"), torch.float32)
        assert [cost.steps for cost in found.phases] == [20, 2]
        assert found.phases[0].phase.views == views
        expected = sum(cost.steps * cost.seconds_a_step for cost in found.phases)
        assert found.seconds == pytest.approx(expected)
        assert found.seconds > 0
        json.dumps(found.to_json(), allow_nan=False)
