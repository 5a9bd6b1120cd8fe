"""The PyTorch network with our weights, ready to be timed."""

import jax
import numpy as np
import torch

from benchmarks import torch_encoders, torch_pixel2mesh
from pixel2mesh_jax.structures import Batch


class TorchProgram:
    """Training step and prediction of `torch_pixel2mesh`, on a device like JAX's.

    Attributes:
      device: "cpu" or "cuda".
    """

    def __init__(
        self,
        encoder: str,
        hidden: int,
        weights: tuple[dict, dict],
        batch: Batch,
        rate: float,
    ):
        """Args: one of `torch_encoders.ENCODERS`; our parameters and statistics."""
        on_gpu = jax.default_backend() != "cpu" and torch.cuda.is_available()
        self.device = "cuda" if on_gpu else "cpu"
        self.weights, self.rate = weights, rate
        with torch.device(self.device):
            encoder = torch_encoders.ENCODERS[encoder](inputs=batch.rgb.shape[-1])
            encoder = encoder.to(memory_format=torch.channels_last)  # the faster one
            self.model = torch_pixel2mesh.Pixel2Mesh(encoder, hidden)
            self.image = _tensor(batch.rgb).permute(0, 3, 1, 2)  # channels last, too
            self.intrinsics = _tensor(batch.intrinsics)
            self.truth = _tensor(batch.points), _tensor(batch.normals)
        self.reset()

    def reset(self) -> None:
        """Back to the first weights."""
        copy_weights(self.model, *self.weights)
        self.optimizer = torch.optim.Adam(self.model.parameters(), self.rate)

    def train(self) -> torch.Tensor:
        """One step; returns the loss before it."""
        self.model.train()
        self.optimizer.zero_grad()
        found = self.model(self.image, self.intrinsics)
        loss = torch_pixel2mesh.objective(found, self.model.levels, *self.truth)
        loss.backward()
        self.optimizer.step()
        return self._wait_for(loss.detach())

    @torch.no_grad()
    def predict(self) -> torch.Tensor:
        """The finest meshes."""
        self.model.eval()
        return self._wait_for(self.model(self.image, self.intrinsics)[-1][0])

    def _wait_for(self, result):
        if self.device == "cuda":
            torch.cuda.synchronize()
        return result


def _tensor(array):
    return torch.tensor(np.asarray(array))


@torch.no_grad()
def copy_weights(
    model: torch_pixel2mesh.Pixel2Mesh, params: dict, batch_stats: dict
) -> None:
    """Fills the PyTorch network with the parameters and statistics of ours."""
    encoder_stats = batch_stats.get("encoder", {})
    torch_encoders.copy_weights(model.encoder, params["encoder"], encoder_stats)
    for number, stage in enumerate(model.stages, start=1):
        found = params[f"stage{number}"]
        _copy_conv(stage.first, found["conv_in"])
        for i, conv in enumerate(stage.blocks):
            block = found["blocks"][f"conv{i % 2 + 1}"]
            _copy_conv(conv, {name: value[i // 2] for name, value in block.items()})
        _copy_conv(model.out[number - 1], params[f"stage{number}_out"])
    _copy_conv(model.last, params[f"stage{len(model.stages)}_last"])


def _copy_conv(conv, found):
    torch_encoders.copy_into(conv.own.weight, found["own"].T)
    torch_encoders.copy_into(conv.neighbor.weight, found["neighbor"].T)
    torch_encoders.copy_into(conv.own.bias, found["bias"])
