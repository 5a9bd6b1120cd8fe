"""Pixel2Mesh as one writes it in PyTorch: the alternative of the `step` benchmark.

The same layers and losses as ours: dense matrix products, one `torch.sparse.mm` for the
batch, features pooled by `grid_sample`, unpooled before the convolution. Nearest
neighbours are found by `torch.cdist` without gradients and gathered, as PyTorch3D does:
gradients through all distances take three times as long. Weights are random; ours have
the same shapes.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.geometry.camera import MIN_DEPTH

NUM_BLOCKS = 6
ORIGIN = (0.0, 0.0, -0.8)


class Level(NamedTuple):
    """Connectivity of a mesh level."""

    operator: torch.Tensor  # (V, V) sparse, T1
    edges: torch.Tensor  # (E, 2)
    mean: torch.Tensor  # (V, V) sparse, mean over neighbours


def make_levels() -> list[Level]:
    """The ellipsoid hierarchy as sparse matrices."""
    return [_level(topology) for topology in templates.ellipsoid().levels]


def _level(topology):
    count, width = topology.neighbors.shape
    rows = np.repeat(np.arange(count), width)
    columns = topology.neighbors.ravel()
    degree = topology.neighbor_mask.sum(axis=1, keepdims=True)
    diagonal = np.arange(count)
    operator = _sparse(
        np.concatenate([rows, diagonal]),
        np.concatenate([columns, diagonal]),
        np.concatenate(
            [topology.chebyshev_weights.ravel(), topology.chebyshev_diagonal]
        ),
        count,
    )
    mean = _sparse(rows, columns, (topology.neighbor_mask / degree).ravel(), count)
    return Level(operator, torch.tensor(np.asarray(topology.edges)).long(), mean)


def _sparse(rows, columns, values, count):
    indices = torch.tensor(np.stack([rows, columns]))
    values = torch.tensor(np.asarray(values, np.float32))
    matrix = torch.sparse_coo_tensor(
        indices, values, (count, count), check_invariants=True
    )
    return matrix.coalesce()


def sparse_product(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(V, V) times (B, V, C); the columns of all meshes stand side by side."""
    batch, count, width = x.shape
    columns = x.transpose(0, 1).reshape(count, batch * width)
    product = torch.sparse.mm(matrix, columns).reshape(count, batch, width)
    return product.transpose(0, 1)


class GraphConv(nn.Module):
    """Y = X W0 + T1 X W1 + b."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.neighbor = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: torch.Tensor, level: Level) -> torch.Tensor:
        return self.own(x) + sparse_product(level.operator, self.neighbor(x))


class Stage(nn.Module):
    """One deformation block."""

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.first = GraphConv(inputs, hidden)
        self.blocks = nn.ModuleList(
            GraphConv(hidden, hidden) for _ in range(2 * NUM_BLOCKS)
        )

    def forward(self, x: torch.Tensor, level: Level) -> torch.Tensor:
        hidden = torch.relu(self.first(x, level))
        for i in range(0, len(self.blocks), 2):
            y = torch.relu(self.blocks[i](hidden, level))
            y = torch.relu(self.blocks[i + 1](y, level))
            hidden = (hidden + y) / 2
        return hidden


class Pixel2Mesh(nn.Module):
    """Encoder and three deformation blocks."""

    def __init__(self, encoder: nn.Module, hidden: int):
        super().__init__()
        self.encoder = encoder
        template = templates.ellipsoid()
        self.start = torch.tensor(np.asarray(template.vertices))
        self.origin = torch.tensor(ORIGIN)
        self.levels = make_levels()
        pooled = 3 + sum(encoder.channels)
        widths = (pooled, pooled + hidden, pooled + hidden)
        self.stages = nn.ModuleList(Stage(width, hidden) for width in widths)
        self.last = GraphConv(hidden, hidden)
        self.out = nn.ModuleList(GraphConv(hidden, 3) for _ in widths)

    def forward(
        self, image: torch.Tensor, intrinsics: torch.Tensor
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(vertices, rest) of every stage."""
        maps = self.encoder(image)
        vertices = self.start.expand(len(image), -1, -1)
        hidden, found = None, []
        for i, (stage, level) in enumerate(zip(self.stages, self.levels, strict=True)):
            features = _pool(maps, vertices, intrinsics, image.shape[-1])
            parts = [vertices - self.origin, features]
            x = torch.cat(parts if hidden is None else [*parts, hidden], dim=-1)
            rest = vertices
            if i:
                x, rest = (_unpool(y, self.levels[i - 1]) for y in (x, rest))
            hidden = stage(x, level)
            last = i == len(self.stages) - 1
            top = torch.relu(self.last(hidden, level)) if last else hidden
            vertices = self.origin + self.out[i](top, level)
            found.append((vertices, rest))
        return found


def _unpool(x, level):
    return torch.cat([x, x[:, level.edges].mean(dim=2)], dim=1)


def _pool(maps, vertices, intrinsics, size):
    focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], dim=-1)[:, None]
    x, y, z = vertices.unbind(dim=-1)
    directions = torch.stack([x, -y], dim=-1) / (-z).clamp(min=MIN_DEPTH)[..., None]
    uv = directions * focal + intrinsics[:, None, :2, 2]
    grid = ((uv + 0.5) / size * 2 - 1)[:, :, None]
    sampled = [
        functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        for x in maps
    ]
    return torch.cat(sampled, dim=1)[..., 0].transpose(1, 2)


def objective(
    found: list[tuple[torch.Tensor, torch.Tensor]],
    levels: list[Level],
    points: torch.Tensor,
    normals: torch.Tensor,
) -> torch.Tensor:
    """The losses and weights of the released TensorFlow code."""
    total = 0.0
    for i, ((vertices, rest), level) in enumerate(zip(found, levels, strict=True)):
        to_vertex, to_point = _nearest(points, vertices)
        chamfer = _squared(points, _rows(vertices, to_vertex)).mean() + 0.55 * (
            _squared(vertices, _rows(points, to_point)).mean()
        )
        first, second = vertices[:, level.edges].unbind(dim=2)
        edge = first - second
        rows = 2 * edge.shape[1] + vertices.shape[1]  # self-loops count
        normal = functional.normalize(_rows(normals, to_point), dim=-1)
        normal = normal[:, level.edges]
        cosine = (normal * functional.normalize(edge, dim=-1)[:, :, None]).sum(dim=-1)
        moved = vertices - rest
        change = moved - sparse_product(level.mean, moved)
        total = total + 3000 * chamfer
        total = total + 300 * 2 * (edge**2).sum(dim=-1).mean(dim=0).sum() / rows
        total = total + 0.5 * cosine.abs().mean(dim=0).sum() / rows
        laplacian = (change**2).sum(dim=-1).mean()
        total = total + 1500 * (0.1 if i == 0 else 1.0) * laplacian
        if i:
            total = total + 100 * (moved**2).sum(dim=-1).mean()
    return total


@torch.no_grad()
def _nearest(points, vertices):
    """Number of the nearest vertex of every point, and of the nearest point."""
    distances = torch.cdist(points, vertices)
    return distances.argmin(dim=2), distances.argmin(dim=1)


def _rows(x, index):
    return torch.gather(x, 1, index[..., None].expand(-1, -1, x.shape[-1]))


def _squared(a, b):
    return ((a - b) ** 2).sum(dim=-1)
