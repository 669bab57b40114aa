"""Classifiers: what they compute, which they are, and how they travel on disk."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from distill.checkpoint import load_classifier, load_tensors, save_classifier, save_tensors
from distill.models import architectures, build_classifier, build_network, normalise
from runtimes.errors import InputError

FAMILIES = (
    "densenet121",
    "efficientnet_b0",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_logits_are_one_linear_layer_on_the_averaged_last_map(architecture: str) -> None:
    model = build_classifier(architecture, 8).eval()
    with torch.no_grad():
        found = model(torch.randn(2, 3, 64, 64))
    pooled = found.last_map.mean(dim=(2, 3))
    assert torch.allclose(found.pooled, pooled)
    assert torch.allclose(found.logits, model.classifier(pooled), atol=1e-6)
    assert found.last_map.ndim == 4
    assert found.logits.shape == (2, 8)


@pytest.mark.parametrize("architecture", ["mobilenet_v2", "resnet18", "densenet121"])
def test_trunk_computes_what_torchvision_computes(architecture: str) -> None:
    network = build_network(architecture).eval()
    images = torch.randn(2, 3, 64, 64)
    seen: list[torch.Tensor] = []
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model = build_classifier(architecture, 8, network).eval()
    with torch.no_grad():
        network(images)
        found = model(images)
    assert torch.allclose(found.pooled, seen[0], atol=1e-5)


def test_pairs_of_the_paper_are_there() -> None:
    assert {
        "resnet50",
        "mobilenet_v2",
        "efficientnet_b7",
        "efficientnet_b0",
        "densenet169",
    } <= set(architectures())


def test_network_without_convolutional_map_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"vit_b_16.*mobilenet_v2"):
        build_classifier("vit_b_16", 8)


def test_normalise_maps_pixel_minus_128_to_zero() -> None:
    found = normalise(torch.tensor([0.0, 128.0, 255.0]))
    assert torch.allclose(found, torch.tensor([-128 / 127.5, 0.0, 127 / 127.5]))


def test_classifier_comes_back_from_disk_with_equal_weights(tmp_path: Path) -> None:
    model = build_classifier("mobilenet_v2", 5)
    save_classifier(tmp_path / "m.safetensors", model)
    loaded = load_classifier(tmp_path / "m.safetensors", "mobilenet_v2")
    assert loaded.num_classes == 5
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    save_classifier(tmp_path / "m.safetensors", build_classifier("shufflenet_v2_x0_5", 8))
    with pytest.raises(InputError, match=r"shufflenet_v2_x0_5.*mobilenet_v2"):
        load_classifier(tmp_path / "m.safetensors", "mobilenet_v2")


def test_header_that_lies_about_the_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    header = {"format": "dermport.classifier", "architecture": "mobilenet_v2", "classes": "8"}
    save_tensors(path, {"classifier.weight": torch.zeros(8, 7)}, header)
    with pytest.raises(InputError, match="does not fit a mobilenet_v2"):
        load_classifier(path)


class _Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploited"),))


@pytest.mark.parametrize("content", [b"", b"\x80", b"0" * 64, pickle.dumps(_Exploit())])
def test_pickles_and_damaged_files_are_never_run(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="safetensors"):
        load_classifier(path)
    assert not (tmp_path / "exploited").exists()


def test_equal_values_are_equal_bytes_whatever_the_order_they_come_in(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3.0), "a": torch.ones(2, 2, dtype=torch.float16)}
    header = {f"key {number}": 'ä "quoted"' for number in range(20)}
    save_tensors(tmp_path / "first.safetensors", tensors, header)
    turned = dict(reversed(header.items()))
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        save_tensors(path, dict(reversed(tensors.items())), turned)
        assert path.read_bytes() == (tmp_path / "first.safetensors").read_bytes()
    found, read = load_tensors(tmp_path / "0.safetensors")
    assert read == header
    assert all(torch.equal(value, tensors[key]) for key, value in found.items())
