"""Initial weights: found by name, folded to our pixels, and never silently absent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from distill import weights
from distill.models import build_network, normalise
from runtimes.errors import InputError


def _saved(folder: Path, architecture: str, name: str) -> torch.nn.Module:
    torch.manual_seed(3)
    network = build_network(architecture).eval()
    save_file(network.state_dict(), folder / name)
    return network


@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1"])
def test_folded_weights_take_our_pixels_as_the_original_took_imagenet_ones(
    architecture: str, tmp_path: Path
) -> None:
    network = _saved(tmp_path, architecture, f"{architecture}.safetensors")
    model = weights.initialise(architecture, 8, weights_dir=tmp_path).model.eval()
    pixels = torch.randint(0, 256, (1, 3, 96, 96)).float()
    mean, std = torch.tensor(weights.IMAGENET.mean), torch.tensor(weights.IMAGENET.std)
    theirs = (pixels - mean[:, None, None]) / std[:, None, None]
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    ours = next(m for m in model.trunk.modules() if isinstance(m, torch.nn.Conv2d))
    bn = getattr(network, "bn1", None)
    with torch.no_grad():
        expected, found = first(theirs), ours(normalise(pixels))
        if bn is not None:
            expected, found = bn(expected), model.trunk[1](found)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))  # the border pads other pixels
    assert torch.allclose(found[inner], expected[inner], atol=1e-4)


def test_file_is_found_in_the_folder_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _saved(tmp_path, "shufflenet_v2_x0_5", "shufflenet_v2_x0_5_mine.safetensors")
    monkeypatch.setenv(weights.WEIGHTS_VARIABLE, str(tmp_path))
    found = weights.initialise("shufflenet_v2_x0_5", 8)
    assert "shufflenet_v2_x0_5_mine.safetensors" in found.source


def test_unknown_choice_names_the_files_that_are_there(tmp_path: Path) -> None:
    _saved(tmp_path, "shufflenet_v2_x0_5", "shufflenet_v2_x0_5_mine.safetensors")
    with pytest.raises(InputError, match="shufflenet_v2_x0_5_mine"):
        weights.initialise("shufflenet_v2_x0_5", 8, "shufflenet_v2_x0_5_theirs", tmp_path)


def test_file_of_another_network_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path, "squeezenet1_1", "shufflenet_v2_x0_5.safetensors")
    with pytest.raises(InputError, match="does not fit"):
        weights.initialise("shufflenet_v2_x0_5", 8, weights_dir=tmp_path)


def test_without_network_and_folder_one_clear_warning_and_random_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(weights.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(weights, "_download", lambda architecture: None)
    found = weights.initialise("shufflenet_v2_x0_5", 8)
    assert found.source == "random"
    errors = capsys.readouterr().err
    assert errors.count("warning:") == 1
    assert "--weights-dir" in errors


@pytest.mark.parametrize(
    ("architecture", "least"), [("mobilenet_v2", 314), ("resnet50", 300), ("densenet169", 1013)]
)
def test_shared_weights_fit(shared: Path, architecture: str, least: int) -> None:
    found = weights.initialise(architecture, 8, weights_dir=shared / "weights")
    assert int(found.source.split("(")[1].split()[0]) >= least
