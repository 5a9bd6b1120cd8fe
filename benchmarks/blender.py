"""Meshes of this program as Blender sees them: what it reads, and an image of it.

    pip install --target BPY bpy      # Python 3.11; numpy 1, so a folder of its own
    PYTHONPATH=BPY python benchmarks/blender.py look a.glb b.glb --image both.png
    PYTHONPATH=BPY python benchmarks/blender.py export scene.glb

Runs on Blender's modules and numpy alone. `look` imports every file, prints a line of
JSON for each, renders them side by side (Cycles, CPU) and writes what it read to
`FILE.npz`. `export` writes a scene with a skin and with instances by Blender's own
exporter, and to `scene.npz` the points that Blender shows of it.
"""

import argparse
import json
import math
import pathlib
import sys

import bpy
import numpy as np
from mathutils import Vector

SAMPLES = 16  # rays per pixel
SIZE = 360  # pixels per object
SUN, SKY = 2.2, 0.45  # strengths of the lights
CAMERA = Vector((-0.9, -2.2, 1.0))  # direction to it from an object; its front is at -y
FILL = 1.25  # width of the image of an object over its largest side


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("look")
    looking.add_argument("files", nargs="+", type=pathlib.Path)
    looking.add_argument("--image", type=pathlib.Path)
    exporting = commands.add_parser("export")
    exporting.add_argument("file", type=pathlib.Path)
    wanted = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if wanted.command == "export":
        export(wanted.file)
        return 0
    objects = [load(path) for path in wanted.files]
    for path, shown in zip(wanted.files, objects, strict=True):
        sys.stdout.write(json.dumps({"file": path.name, **facts(shown)}) + "\n")
        np.savez(path.with_suffix(".npz"), **arrays(shown))
    if wanted.image is not None:
        render(objects, wanted.image)
    return 0


def load(path: pathlib.Path) -> bpy.types.Object:
    """The mesh of a file."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    [mesh] = [o for o in bpy.data.objects if o not in before and o.type == "MESH"]
    return mesh


def facts(shown: bpy.types.Object) -> dict:
    """What Blender says about an object; its up is z."""
    mesh, [material] = shown.data, shown.data.materials
    nodes = material.node_tree.nodes
    [surface] = [n for n in nodes if n.type == "BSDF_PRINCIPLED"]
    [link] = surface.inputs["Base Color"].links
    return {
        "dimensions": [round(side, 4) for side in shown.dimensions],
        "vertices": len(mesh.vertices),
        "triangles": len(mesh.polygons),
        "color attributes": [[a.name, a.domain] for a in mesh.color_attributes],
        "uv maps": list(mesh.uv_layers.keys()),
        "textures": [list(n.image.size) for n in nodes if n.type == "TEX_IMAGE"],
        "base color from": link.from_node.type,
        "roughness": surface.inputs["Roughness"].default_value,
        "metallic": surface.inputs["Metallic"].default_value,
        "backface culling": material.use_backface_culling,
    }


def arrays(shown: bpy.types.Object) -> dict:
    """Positions, normals and linear colours of the corners of all triangles."""
    mesh = shown.data
    corner = _values(mesh.loops, "vertex_index", 1, np.int32)[:, 0]
    found = {
        "position": _values(mesh.vertices, "co", 3)[corner],
        "normal": _values(mesh.corner_normals, "vector", 3),
    }
    if mesh.color_attributes:
        color = mesh.color_attributes[0]
        values = _values(color.data, "color", 4)
        found["color"] = values if color.domain == "CORNER" else values[corner]
    return found


def _values(rows, name, width, kind=np.float32):
    flat = np.zeros(len(rows) * width, kind)
    rows.foreach_get(name, flat)
    return flat.reshape(-1, width)


def render(objects: list[bpy.types.Object], path: pathlib.Path) -> None:
    """An image of the objects beside each other, each as large as the others."""
    scene = bpy.context.scene
    for place, shown in enumerate(objects):
        factor = 1 / max(shown.dimensions)
        shown.scale = [factor] * 3
        shown.location.x += place * FILL
    _light(scene)
    _aim(scene, len(objects))
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", SAMPLES
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = len(objects) * SIZE, SIZE
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(write_still=True)


def _light(scene):
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = SUN, (math.radians(50), 0, math.radians(-40))
    scene.collection.objects.link(sun)
    scene.world = bpy.data.worlds.new("sky")
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (1, 1, 1, 1), SKY


def _aim(scene, count):
    """An orthographic camera, so that objects beside each other look alike."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", FILL * count
    camera.rotation_euler = CAMERA.to_track_quat("Z", "Y").to_euler()
    right = camera.rotation_euler.to_matrix() @ Vector((1, 0, 0))
    for place, shown in enumerate(o for o in scene.objects if o.type == "MESH"):
        shown.location = right * FILL * (place - (count - 1) / 2)
    camera.location = CAMERA * 4
    scene.collection.objects.link(camera)
    scene.camera = camera


def export(path: pathlib.Path) -> None:
    """A bent arm on two bones, a cube four times, one of them mirrored."""
    arm = _arm()
    cubes = _cubes()
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    points = [_points(shown.evaluated_get(graph)) for shown in (arm, *cubes)]
    np.savez(path.with_suffix(".npz"), points=np.concatenate(points))
    bpy.ops.export_scene.gltf(
        filepath=str(path.resolve()),
        export_format="GLB",
        export_gpu_instances=True,
        export_rest_position_armature=False,
    )


def _points(shown):
    local = _values(shown.data.vertices, "co", 3)
    matrix = np.array(shown.matrix_world)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def _arm():
    """A column whose upper half follows the second bone, bent by 60 degrees."""
    bpy.ops.object.armature_add(enter_editmode=True)
    armature = bpy.context.object
    [lower] = armature.data.edit_bones
    lower.name, lower.head, lower.tail = "lower", (0, 0, 0), (0, 0, 1)
    upper = armature.data.edit_bones.new("upper")
    upper.head, upper.tail, upper.parent = (0, 0, 1), (0, 0, 2), lower
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.mesh.primitive_cylinder_add(radius=0.3, depth=2, location=(0, 0, 1))
    column = bpy.context.object
    heights = {v.index: v.co.z + 1 for v in column.data.vertices}
    for name, rows in (
        ("lower", [row for row, z in heights.items() if z < 1]),
        ("upper", [row for row, z in heights.items() if z >= 1]),
    ):
        column.vertex_groups.new(name=name).add(rows, 1.0, "REPLACE")
    column.modifiers.new("armature", "ARMATURE").object = armature
    column.parent = armature
    bone = armature.pose.bones["upper"]
    bone.rotation_mode, bone.rotation_euler = "XYZ", (math.radians(60), 0, 0)
    return column


def _cubes():
    """Below one empty object, where the exporter writes EXT_mesh_gpu_instancing."""
    parent = bpy.data.objects.new("cubes", None)
    parent.location = (3, 0, 0)
    bpy.context.scene.collection.objects.link(parent)
    bpy.ops.mesh.primitive_cube_add(size=0.5)
    first = bpy.context.object
    made = [first]
    for place in ((1, 0, 0), (0, 1, 0.5), (1, 1, 0.5)):
        other = bpy.data.objects.new("cube", first.data)
        other.location, other.rotation_euler = place, (0.3 * len(made), 0.2, 0.1)
        bpy.context.scene.collection.objects.link(other)
        made.append(other)
    made[-1].scale = (-1, 1, 2)
    for cube in made:
        cube.parent = parent
    return made


if __name__ == "__main__":
    sys.exit(main())
