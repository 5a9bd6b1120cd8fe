"""The PyTorch network with our weights, ready to be timed."""

import numpy as np
import torch

from benchmarks import torch_pixel2mesh
from pixel2mesh_jax.structures import Batch


class TorchProgram:
    """Training step and prediction of `torch_pixel2mesh`."""

    def __init__(self, params: dict, batch: Batch, hidden: int, rate: float):
        self.model = torch_pixel2mesh.Pixel2Mesh(3, hidden)
        self.params, self.rate = params, rate
        self.reset()
        tensors = {
            name: torch.tensor(np.asarray(value))
            for name, value in batch._asdict().items()
            if value is not None
        }
        self.image = tensors["rgb"].permute(0, 3, 1, 2).contiguous()
        self.intrinsics = tensors["intrinsics"]
        self.truth = tensors["points"], tensors["normals"]

    def reset(self) -> None:
        """Back to the first weights."""
        copy_weights(self.model, self.params)
        self.optimizer = torch.optim.Adam(self.model.parameters(), self.rate)

    def train(self) -> np.ndarray:
        """One step; returns the loss before it."""
        self.optimizer.zero_grad()
        found = self.model(self.image, self.intrinsics)
        loss = torch_pixel2mesh.objective(found, self.model.levels, *self.truth)
        loss.backward()
        self.optimizer.step()
        return loss.detach().numpy()

    @torch.no_grad()
    def predict(self) -> np.ndarray:
        """The finest meshes."""
        return self.model(self.image, self.intrinsics)[-1][0].numpy()


@torch.no_grad()
def copy_weights(model: torch_pixel2mesh.Pixel2Mesh, params: dict) -> None:
    """Fills the PyTorch network with the parameters of ours."""
    for layer, name in zip(
        model.encoder.layers, sorted(params["encoder"]), strict=True
    ):
        found = params["encoder"][name]
        _fill(layer.weight, np.transpose(found["kernel"], (3, 2, 0, 1)))
        _fill(layer.bias, found["bias"])
    for number, stage in enumerate(model.stages, start=1):
        found = params[f"stage{number}"]
        _copy_conv(stage.first, found["conv_in"])
        for i, conv in enumerate(stage.blocks):
            block = found["blocks"][f"conv{i % 2 + 1}"]
            _copy_conv(conv, {name: value[i // 2] for name, value in block.items()})
        _copy_conv(model.out[number - 1], params[f"stage{number}_out"])
    _copy_conv(model.last, params[f"stage{len(model.stages)}_last"])


def _copy_conv(conv, found):
    _fill(conv.own.weight, found["own"].T)
    _fill(conv.neighbor.weight, found["neighbor"].T)
    _fill(conv.own.bias, found["bias"])


def _fill(tensor, value):
    tensor.copy_(torch.tensor(np.array(value)))
