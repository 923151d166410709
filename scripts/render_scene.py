#!/usr/bin/env python3
"""Renders docs/images/scene.jpg, the picture of the README's before and after.

A photograph would need somebody's permission; this scene is ours: a glazed vase with flowers on a
wooden table, with the fine stems, grasses and petals at which a poor cutout shows.

How: every surface is a function of two parameters, diced finely enough that its points cover the
pixels (as Reyes renderers do), and splatted into a depth buffer. Light is the sum of many distant
lamps, each with its own shadow map: a window at the left, the room above, the table below.

Needs Pillow and NumPy (`make test-deps` puts both into target/test-venv). The same seed gives the
same picture.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 1200, 800
OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "images" / "scene.jpg"
SEED = 20

# One unit is a decimetre; y is up, z comes towards the camera, the table is y = 0.
CAMERA = np.array([0.0, 3.45, 12.5])
TARGET = np.array([0.0, 2.62, 0.0])
VIEW_HEIGHT = 6.6  # what the picture spans at the target's distance
TABLE_BACK = -4.2

# Towards the window: its middle, and how far it reaches to each side (as tangents).
WINDOW = np.array([-0.80, 0.42, 0.46])
WINDOW_HALF = (0.42, 0.36)
WINDOW_LIGHT = np.array([1.00, 0.92, 0.80]) * 3.0
ROOM_LIGHT = np.array([0.58, 0.66, 0.78]) * 0.36
TABLE_LIGHT = np.array([0.60, 0.38, 0.22]) * 0.26


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--supersample", type=int, default=3, help="samples a pixel, each way")
    parser.add_argument("--lamps", type=int, default=260, help="fewer: faster, with banded shadows")
    parser.add_argument("--quality", type=int, default=90)
    options = parser.parse_args()

    scene = Scene(np.random.default_rng(SEED), options.supersample)
    scene.build()
    subject, coverage, table, reach = scene.shade(options.lamps)
    picture = compose(scene, subject, coverage, table, reach)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    finish(picture, scene.rng).save(
        options.output, quality=options.quality, optimize=True, progressive=True
    )
    print(f"{options.output}: {options.output.stat().st_size} bytes")


# --- small geometry ---------------------------------------------------------------------------


def unit(v):
    v = np.asarray(v, float)
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def mix(a, b, t):
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a + (b - a) * t


def smooth(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def frame_of(axis):
    """Two directions that are at right angles to `axis` and to each other."""
    axis = unit(axis)
    helper = np.array([0, 1, 0.0]) if abs(axis[1]) < 0.9 else np.array([1, 0, 0.0])
    side = unit(np.cross(helper, axis))
    return axis, side, np.cross(axis, side)


def bezier(points, t):
    a, b, c, d = (np.asarray(p, float) for p in points)
    t = np.asarray(t, float)[..., None]
    s = 1 - t
    return a * s**3 + 3 * b * s * s * t + 3 * c * s * t * t + d * t**3


def noise(rng, height, width, cells):
    """Smooth noise, 0..1, with about `cells` (down, across) bumps."""
    coarse = rng.random((max(2, int(cells[0])), max(2, int(cells[1])))).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def lookup(texture, y, x):
    """The texture at fractional places, repeated without end."""
    h, w = texture.shape
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    dy, dx = y - y0, x - x0
    y0, x0, y1, x1 = y0 % h, x0 % w, (y0 + 1) % h, (x0 + 1) % w
    above = texture[y0, x0] * (1 - dx) + texture[y0, x1] * dx
    below = texture[y1, x0] * (1 - dx) + texture[y1, x1] * dx
    return above * (1 - dy) + below * dy


def blurred(image, radius):
    """Gaussian blur of a float picture, by channel: Pillow's own works on 8 bits only."""
    if radius < 0.3:
        return image
    if radius > 6:  # at a quarter of the size nobody sees the difference
        h, w = image.shape[:2]
        small = resized(image, w // 4, h // 4)
        return resized(blurred(small, radius / 4), w, h)
    reach = math.ceil(3 * radius)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (reach, reach)
        padded = np.pad(image, pad, mode="edge")
        image = sum(
            k * np.take(padded, range(i, i + image.shape[axis]), axis=axis)
            for i, k in enumerate(kernel)
        ).astype(np.float32)
    return image


def resized(image, width, height, how=Image.Resampling.BICUBIC):
    planes = np.atleast_3d(image)
    done = [
        np.asarray(Image.fromarray(np.ascontiguousarray(planes[..., c], np.float32))
                   .resize((width, height), how))
        for c in range(planes.shape[2])
    ]
    return np.stack(done, -1) if image.ndim == 3 else done[0]


# --- the scene --------------------------------------------------------------------------------


class Scene:
    """What is seen at each sample (a depth buffer with attributes), and what casts shadows."""

    def __init__(self, rng, supersample):
        self.rng = rng
        self.w, self.h = WIDTH * supersample, HEIGHT * supersample
        self.pixel = VIEW_HEIGHT / self.h
        self.forward, self.right, self.up = self.camera_axes()
        self.distance = np.linalg.norm(TARGET - CAMERA)
        n = self.w * self.h
        self.depth = np.full(n, np.inf, np.float32)
        self.place = np.zeros((n, 3), np.float32)
        self.normal = np.zeros((n, 3), np.float32)
        self.colour = np.zeros((n, 3), np.float32)
        self.kind = np.zeros((n, 2), np.float32)  # gloss, how much light shines through
        self.casters = []

    @staticmethod
    def camera_axes():
        forward = unit(TARGET - CAMERA)
        right = unit(np.cross(forward, [0, 1, 0]))
        return forward, right, np.cross(right, forward)

    def project(self, points):
        seen = points - CAMERA
        depth = seen @ self.forward
        scale = self.distance / (depth * self.pixel)
        x = (seen @ self.right) * scale + self.w / 2
        y = self.h / 2 - (seen @ self.up) * scale
        return x, y, depth

    def surface(self, shape, size, colour, gloss=0.0, through=0.0):
        """Adds the surface `shape(u, v)`, u and v in 0..1, about `size` units long each way.

        `colour` is one RGB, or a function of u, v and the points.
        """
        self.casters.append(self.dice(shape, size, 0.008)[2].reshape(-1, 3).astype(np.float32))
        u, v, points = self.dice(shape, size, self.pixel * 0.55)
        normal = unit(np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)))
        towards = CAMERA - points
        normal *= np.where((normal * towards).sum(-1, keepdims=True) < 0, -1, 1)
        rgb = colour(u, v, points) if callable(colour) else np.broadcast_to(colour, points.shape)

        points, normal, rgb = points.reshape(-1, 3), normal.reshape(-1, 3), rgb.reshape(-1, 3)
        x, y, depth = self.project(points)
        x, y = x.astype(int), y.astype(int)
        inside = np.flatnonzero((x >= 0) & (x < self.w) & (y >= 0) & (y < self.h))
        at = y[inside] * self.w + x[inside]
        nearer = depth[inside] < self.depth[at]
        inside, at = inside[nearer], at[nearer]
        # Far to near, since of several writes to one sample the last one stays.
        order = np.argsort(-depth[inside], kind="stable")
        inside, at = inside[order], at[order]
        self.depth[at] = depth[inside]
        self.place[at] = points[inside]
        self.normal[at] = normal[inside]
        self.colour[at] = rgb[inside]
        self.kind[at] = (gloss, through)

    @staticmethod
    def dice(shape, size, step):
        counts = [max(4, int(length / step)) for length in size]
        u, v = np.meshgrid(*(np.linspace(0, 1, n) for n in counts), indexing="ij")
        return u, v, shape(u, v)

    # --- things

    def build(self):
        rng = self.rng
        self.vase()
        heads = [
            # x, y, z of the head, radius, kind
            ((-0.10, 4.45, 0.60), 0.64, "coral"),
            ((-0.98, 4.02, 0.45), 0.56, "white"),
            ((0.86, 4.24, 0.35), 0.57, "white"),
            ((0.40, 3.58, 1.00), 0.58, "gold"),
            ((-0.50, 3.42, 0.98), 0.54, "coral"),
            ((1.30, 3.48, 0.45), 0.51, "coral"),
            ((-1.36, 3.28, 0.40), 0.47, "gold"),
            ((-0.66, 4.92, 0.05), 0.46, "white"),
            ((0.54, 4.98, 0.00), 0.45, "gold"),
            ((0.90, 2.98, 0.85), 0.42, "white"),
            ((-0.92, 2.84, 0.72), 0.40, "coral"),
        ]
        for place, radius, kind in heads:
            self.flower(np.array(place), radius, kind)
        branches = [
            (-1.58, 4.10, 0.20), (1.52, 4.34, 0.10), (-1.14, 4.86, -0.05),
            (1.10, 4.92, -0.05), (1.74, 3.10, 0.65), (-1.62, 2.80, 0.65),
        ]
        for tip in branches:
            self.branch(np.array(tip))
        for tip in [(-0.10, 5.28, 0.0), (1.00, 5.30, -0.1), (1.66, 3.92, 0.3), (-1.66, 3.62, 0.3)]:
            self.grass(np.array(tip))
        # Foliage around the mouth of the vase: in front short, behind as high as the heads.
        for i in range(90):
            around = rng.uniform(0, 2 * math.pi)
            start = np.array([0.28 * math.cos(around), rng.uniform(2.5, 3.2), 0.2])
            start[2] = 0.28 * math.sin(around) - (0.35 if i % 2 else 0)
            way = unit([1.1 * math.cos(around), rng.uniform(0.35, 1.5), math.sin(around) + 0.2])
            green = mix([0.085, 0.185, 0.060], [0.17, 0.30, 0.10], rng.random())
            self.leaf(start, way, rng.uniform(0.7, 1.0 + 0.5 * (i % 2)), 0.17, green)
        for around in np.radians(np.linspace(15, 165, 11)):  # and a few that lean over the lip
            start = np.array([0.38 * math.cos(around), 2.62, 0.38 * math.sin(around)])
            way = unit([math.cos(around), rng.uniform(0.25, 0.8), 0.7 * math.sin(around)])
            self.leaf(start, way, rng.uniform(0.5, 0.75), 0.15, (0.16, 0.29, 0.09))

    def vase(self):
        # Height and radius, up the outside and over the lip down the inside.
        y = np.array([0, 0.02, 0.10, 0.45, 0.95, 1.40, 1.80, 2.10, 2.32, 2.50, 2.60, 2.63,
                      2.60, 2.45, 2.10, 1.7])
        r = np.array([0.46, 0.50, 0.53, 0.76, 0.98, 0.99, 0.80, 0.56, 0.44, 0.43, 0.49, 0.51,
                      0.47, 0.39, 0.40, 0.5])
        along = np.linspace(0, 1, len(y))
        fine = np.linspace(0, 1, 400)
        window = np.hanning(31)
        window /= window.sum()

        def rounded(values):
            dense = np.interp(fine, along, values)
            return np.convolve(np.pad(dense, 15, mode="edge"), window, mode="valid")

        y, r = rounded(y), rounded(r)

        def shape(u, v):
            height, radius = np.interp(u, fine, y), np.interp(u, fine, r)
            # What a potter's fingers leave.
            radius = radius + 0.0013 * np.sin(height * 41 + 3 * np.sin(height * 5)) * (u < 0.7)
            around = 2 * math.pi * v
            return np.stack([radius * np.cos(around), height, radius * np.sin(around)], -1)

        spots = self.rng.random((420, 2)) * (1, 1.6)
        sizes = self.rng.uniform(0.003, 0.011, 420)

        def glaze(u, v, points):
            height, around = points[..., 1], v * 2 * math.pi
            drip = 0.40 + 0.07 * np.sin(3 * around + 1) + 0.05 * np.sin(7 * around)
            drip = drip + 0.03 * np.sin(17 * around + 2)
            above = smooth(-0.012, 0.012, height - drip)[..., None]
            clay = np.broadcast_to([0.66, 0.56, 0.43], points.shape).copy()
            for (at, up), size in zip(spots, sizes):
                off = np.abs(v - at)
                near = (np.minimum(off, 1 - off) * 5.5) ** 2 + (height - up) ** 2 < size**2
                clay[near] = (0.20, 0.12, 0.07)
            # The glaze runs thin near the lip and thick at its lower edge.
            thick = smooth(2.65, 1.0, height)[..., None]
            deep = mix([0.045, 0.200, 0.265], [0.010, 0.070, 0.130], thick)
            rim = smooth(2.55, 2.63, height)[..., None]
            return mix(clay, mix(deep, [0.30, 0.26, 0.18], rim * 0.7), above)

        self.surface(shape, (4.6, 6.3), glaze, gloss=1.0)

    def stem(self, head, leave, radius, colour):
        """A stalk from within the vase to `head`, arriving along `leave`."""
        root = np.array([head[0] * 0.10, 2.0, head[2] * 0.10])
        mouth = np.array([head[0] * 0.16, 2.9, head[2] * 0.2])
        curve = [root, mouth + (0, 0.35, 0), head - unit(leave) * 0.6, head]
        self.tube(curve, radius, colour)
        return curve

    def tube(self, curve, radius, colour):
        def shape(u, v):
            middle = bezier(curve, u)
            way = unit(bezier(curve, np.minimum(u + 0.01, 1)) - bezier(curve, u - 0.01))
            side = unit(np.cross(way, [0.1, 0.2, 1.0]))
            other = np.cross(way, side)
            a = 2 * math.pi * v[..., None]
            return middle + radius * (np.cos(a) * side + np.sin(a) * other)

        length = np.linalg.norm(np.diff(bezier(curve, np.linspace(0, 1, 20)), axis=0), axis=1).sum()
        self.surface(shape, (length, 2 * math.pi * radius), colour, gloss=0.15, through=0.1)

    def flower(self, head, radius, kind):
        rng = self.rng
        petals = {
            "coral": ((0.60, 0.085, 0.045), (0.86, 0.30, 0.20)),
            "white": ((0.70, 0.66, 0.46), (0.88, 0.86, 0.80)),
            "gold": ((0.75, 0.27, 0.02), (0.90, 0.56, 0.06)),
        }[kind]
        outwards = unit([head[0] * 0.45, 0.55, head[2] * 0.3 + 1.05])
        axis, side, other = frame_of(outwards + rng.normal(0, 0.12, 3))
        self.stem(head - axis * 0.06, outwards * (0.5, 1, 0.5) + (0, 0.5, 0), 0.032,
                  (0.13, 0.24, 0.07))

        for ring, (count, reach, lift) in enumerate([(19, 1.0, 0.05), (17, 0.86, 0.16),
                                                     (13, 0.62, 0.30)]):
            for i in range(count):
                around = 2 * math.pi * (i + 0.5 * ring + rng.uniform(-0.2, 0.2)) / count
                length = radius * reach * rng.uniform(0.92, 1.05)
                self.petal(head, (axis, side, other), around, length, lift + rng.normal(0, 0.05),
                           petals, radius * 0.17)
        self.heart(head + axis * 0.035, (axis, side, other), radius * 0.25, kind)

    def petal(self, head, frame, around, length, lift, colours, half):
        rng = self.rng
        axis, side, other = frame
        out = math.cos(around) * side + math.sin(around) * other
        across = np.cross(axis, out)
        droop, twist = rng.uniform(0.12, 0.34), rng.normal(0, 0.18)
        phase, tint = rng.uniform(0, 6), rng.uniform(0.88, 1.08)

        def shape(u, v):
            s = 2 * v - 1
            # Narrow at the heart, widest at two thirds, with a rounded tip.
            width = half * (0.35 + 0.65 * smooth(0, 0.55, u)) * np.sqrt(
                np.clip(1 - smooth(0.62, 1.04, u) ** 1.6, 0, 1)) + 0.002
            height = length * (lift * np.sin(u * 2.2) - droop * u * u)
            fold = width * (0.32 * s * s + 0.05 * np.sin(9 * s + phase)) + twist * s * width * u
            return (head + out * (length * (0.08 + 0.92 * u))[..., None]
                    + across * (s * width)[..., None] + axis * (height + fold)[..., None])

        def colour(u, v, points):
            streak = 0.06 * np.sin(26 * v + phase) * (1 - 0.5 * u)
            rgb = mix(colours[0], colours[1], smooth(0.0, 0.75, u + streak)[..., None])
            return rgb * tint * (1 - 0.10 * np.abs(np.sin(13 * v + phase))[..., None])

        self.surface(shape, (length * 1.15, half * 2.3), colour, gloss=0.05, through=0.55)

    def heart(self, middle, frame, radius, kind):
        axis, side, other = frame
        count = 170
        dark = kind != "white"
        for i in range(count):  # florets, in the spiral in which they grow
            far = math.sqrt((i + 0.5) / count)
            around = i * 2.39996
            place = (middle + radius * far * (math.cos(around) * side + math.sin(around) * other)
                     + axis * radius * 0.42 * (1 - far**2))
            size = radius * (0.075 + 0.035 * far)
            if dark:
                rgb = mix([0.10, 0.045, 0.02], [0.52, 0.25, 0.03], smooth(0.55, 1.0, far))
            else:
                rgb = mix([0.55, 0.42, 0.03], [0.82, 0.50, 0.02], far)
            self.ball(place, axis, size, rgb * self.rng.uniform(0.7, 1.15))

    def ball(self, place, axis, size, rgb, stretch=1.3):
        axis, side, other = frame_of(axis)

        def shape(u, v):
            polar, around = math.pi * u, 2 * math.pi * v
            ring = (np.sin(polar) * size)[..., None]
            return (place + ring * (np.cos(around)[..., None] * side
                                    + np.sin(around)[..., None] * other)
                    + axis * (np.cos(polar) * size * stretch)[..., None])

        self.surface(shape, (size * 3.6, size * 6.3), rgb, gloss=0.1)

    def branch(self, tip):
        """Eucalyptus: round leaves in pairs, smaller towards the tip."""
        rng = self.rng
        curve = self.stem(tip, unit([tip[0] * 0.5, 0.5, tip[2]]), 0.021, (0.22, 0.17, 0.10))
        for t in np.linspace(0.50, 0.97, 9):
            place = bezier(curve, t)
            way = unit(bezier(curve, min(t + 0.02, 1)) - bezier(curve, t - 0.02))
            sideways = unit(np.cross(way, rng.normal(0, 0.5, 3) + (0, 0, 1)))
            size = mix(0.42, 0.24, (t - 0.5) / 0.47) * rng.uniform(0.85, 1.1)
            for sign in (-1, 1):
                green = mix([0.15, 0.27, 0.15], [0.27, 0.39, 0.22], rng.random())
                self.leaf(place, unit(way * 0.55 + sign * sideways), size, size * 0.36, green)
        self.leaf(bezier(curve, 0.99), way, 0.25, 0.08, (0.20, 0.32, 0.20))

    def leaf(self, root, way, length, half, rgb):
        rng = self.rng
        bend, cup = rng.uniform(-0.25, 0.25), rng.uniform(0.1, 0.4)
        way = unit(way)
        # Turned so that most leaves show a face to the camera, as in an arranged bunch.
        face = unit(np.array([0, 0.35, 1.0]) + rng.normal(0, 0.45, 3))
        across = unit(np.cross(face, way))
        up = np.cross(way, across)

        def shape(u, v):
            s = 2 * v - 1
            width = half * np.sin(math.pi * np.clip(u, 0.0, 1) ** 0.8) ** 0.7 + 0.001
            height = length * bend * u * u + cup * width * s * s
            return (root + way * (length * u)[..., None] + across * (s * width)[..., None]
                    + up * height[..., None])

        def colour(u, v, points):
            s = np.abs(2 * v - 1)
            vein = np.exp(-((s / 0.05) ** 2)) + 0.25 * np.exp(
                -((np.sin(22 * (u - 0.35 * s)) / 0.22) ** 2)) * (1 - s)
            return mix(np.asarray(rgb) * (0.92 + 0.16 * u[..., None]),
                       np.asarray(rgb) * 1.5 + 0.03, np.clip(vein, 0, 1)[..., None] * 0.55)

        self.surface(shape, (length * 1.1, half * 2.3), colour, gloss=0.25, through=0.35)

    def grass(self, tip):
        """A thin stalk with an ear: what a cutout loses first."""
        rng = self.rng
        rgb = np.array([0.62, 0.47, 0.24])
        curve = self.stem(tip, unit([tip[0] * 0.6, 0.6, tip[2]]), 0.013, rgb * 0.8)
        for i, t in enumerate(np.linspace(0.80, 1.0, 15)):
            place = bezier(curve, t)
            way = unit(bezier(curve, t) - bezier(curve, t - 0.02))
            side = unit(np.cross(way, [0, 0.2, 1.0])) * (1 if i % 2 else -1)
            grain = place + side * 0.035
            self.ball(grain, unit(way + side * 0.45), 0.026, rgb * rng.uniform(0.85, 1.15), 2.6)
            self.tube([grain, grain + way * 0.08 + side * 0.03, grain + way * 0.18 + side * 0.07,
                       grain + way * 0.30 + side * 0.10], 0.0042, rgb)

    # --- light

    def shade(self, lamps):
        """The subject with its coverage, and the table with how far away each row of it is."""
        table_at, table_place = self.table_samples()
        subject_at = np.flatnonzero(np.isfinite(self.depth))
        place = np.concatenate([self.place[subject_at], table_place])
        normal = np.concatenate([self.normal[subject_at],
                                 np.broadcast_to(np.float32([0, 1, 0]), table_place.shape)])
        through = np.concatenate([self.kind[subject_at, 1],
                                  np.zeros(len(table_place), np.float32)])[:, None]
        casters = np.concatenate(self.casters)
        light = np.zeros_like(place)
        open_sky = np.zeros(len(place), np.float32)
        directions, radiance, room = self.lamps(lamps)
        for direction, rgb, is_room in zip(directions, radiance, room):
            facing = normal @ direction.astype(np.float32)
            lit = shadow(casters, place + normal * np.sign(facing)[:, None] * 0.014, direction)
            front, back = np.maximum(facing, 0)[:, None], np.maximum(-facing, 0)[:, None]
            light += (front * (1 - 0.45 * through) + back * through * 0.75) * lit[:, None] * rgb
            if is_room:
                open_sky += lit
        open_sky /= room.sum()

        n = len(subject_at)
        subject = np.zeros((self.w * self.h, 3), np.float32)
        towards = unit(CAMERA - self.place[subject_at])
        facing = self.normal[subject_at]
        mirror = 2 * (facing * towards).sum(-1, keepdims=True) * facing - towards
        grazing = 1 - np.clip((facing * towards).sum(-1, keepdims=True), 0, 1)
        # Schlick's approximation for glass and glaze (4 % at right angles).
        fresnel = 0.04 + 0.96 * grazing**5
        shine = surroundings(mirror) * fresnel * self.kind[subject_at, :1] * open_sky[:n, None]
        subject[subject_at] = self.colour[subject_at] * light[:n] + shine

        table = np.zeros((self.w * self.h, 3), np.float32)
        wood, sheen = self.wood(table_place)
        table[table_at] = wood * light[n:] + sheen * open_sky[n:, None]
        reach = np.full(self.w * self.h, np.inf, np.float32)
        reach[table_at] = table_place[:, 2]
        coverage = np.isfinite(self.depth).astype(np.float32)
        return tuple(a.reshape(self.h, self.w, *a.shape[1:])
                     for a in (subject, coverage, table, reach))

    def lamps(self, count):
        """Directions, light of each, and which of them are the room rather than the window."""
        rng = self.rng
        of_window = count // 3
        side, up = frame_of(WINDOW)[1:]
        a = (np.arange(of_window) + 0.5) / of_window * 2 - 1
        b = (np.arange(of_window) * 0.6180339887 % 1) * 2 - 1
        window = unit(unit(WINDOW) + side * (a * WINDOW_HALF[0])[:, None]
                      + up * (b * WINDOW_HALF[1])[:, None])
        # The rest all around, evenly (a Fibonacci sphere).
        rest = count - of_window
        i = np.arange(rest) + 0.5
        y = 1 - 2 * i / rest
        around = i * 2.39996 + rng.uniform(0, 6)
        ring = np.sqrt(1 - y * y)
        sphere = np.stack([ring * np.cos(around), y, ring * np.sin(around)], -1)
        # The room is brighter on the side of the window.
        glow = 1 + 0.75 * np.clip(-sphere[:, :1], -1, 1)
        above = smooth(-0.05, 0.10, y)[:, None]
        sky = mix(TABLE_LIGHT, ROOM_LIGHT * glow, above) * 4 / rest
        return (np.concatenate([window, sphere]),
                np.concatenate([np.tile(WINDOW_LIGHT / of_window, (of_window, 1)), sky]
                               ).astype(np.float32),
                np.concatenate([np.zeros(of_window, bool), y > 0.05]))

    # --- table

    def table_samples(self):
        ys, xs = np.mgrid[0:self.h, 0:self.w].astype(np.float32)
        x = (xs + 0.5 - self.w / 2) * self.pixel / self.distance
        y = (self.h / 2 - ys - 0.5) * self.pixel / self.distance
        way = (self.forward + x[..., None] * self.right + y[..., None] * self.up).reshape(-1, 3)
        with np.errstate(divide="ignore"):
            place = CAMERA + way * (-CAMERA[1] / way[:, 1])[:, None]
        hit = (way[:, 1] < -1e-4) & (place[:, 2] > TABLE_BACK)
        return np.flatnonzero(hit), place[hit].astype(np.float32)

    def wood(self, place):
        """Planks that run from left to right: their colour, and what they mirror of the window."""
        rng = np.random.default_rng(SEED + 1)
        width = 1.55
        plank = np.floor((place[:, 2] + 0.4) / width).astype(int)
        tint = rng.uniform(0.82, 1.12, 64)[plank % 64]
        shift = rng.uniform(0, 40, 64)[plank % 64]
        grain = noise(rng, 2048, 512, (700, 14))
        broad = noise(rng, 2048, 512, (60, 6))
        bow = 5 * np.sin(place[:, 0] * 0.7 + shift)
        fine = lookup(grain, place[:, 2] * 100 + bow + shift * 37, place[:, 0] * 22 + shift * 11)
        wide = lookup(broad, place[:, 2] * 60 + bow * 2, place[:, 0] * 14 + shift * 11)
        lines = 0.4 * fine + 0.6 * wide
        gap = np.abs((place[:, 2] + 0.4) / width % 1 - 0.5) > 0.4925
        rgb = mix([0.105, 0.054, 0.028], [0.26, 0.145, 0.078], lines[:, None]) * tint[:, None]
        rgb[gap] *= 0.25
        towards = unit(CAMERA - place)
        mirror = towards * (-1, 1, -1)
        grazing = 0.03 + 0.5 * (1 - towards[:, 1:2]) ** 5
        return rgb, surroundings(mirror) * grazing * 0.30


def shadow(casters, place, direction, cells=760, reach=4.6):
    """1 where `place` sees the lamp in `direction`, 0 where a caster is before it."""
    axis, side, other = (a.astype(np.float32) for a in frame_of(direction))
    middle = np.float32([0, 2.6, 0])

    def cell(points):
        points = points - middle
        x = ((points @ side / reach + 1) * (cells / 2)).astype(np.int32)
        y = ((points @ other / reach + 1) * (cells / 2)).astype(np.int32)
        return np.clip(y, 0, cells - 1) * cells + np.clip(x, 0, cells - 1), points @ axis

    nearest = np.full(cells * cells, -np.inf, np.float32)
    at, height = cell(casters)
    np.maximum.at(nearest, at, height)
    # The border collects what lies outside the map: nothing there is in a shadow.
    nearest = nearest.reshape(cells, cells)
    nearest[[0, -1], :] = nearest[:, [0, -1]] = -np.inf
    at, height = cell(place)
    return (nearest.reshape(-1)[at] < height + 0.022).astype(np.float32)


def surroundings(direction):
    """The room as a polished surface mirrors it: a window with a cross, walls, the table."""
    up = direction[..., 1:2]
    room = mix([0.16, 0.11, 0.08], [0.34, 0.38, 0.44], smooth(-0.15, 0.6, up))
    room = room * (1 - 0.45 * direction[..., :1])
    axis, side, other = frame_of(WINDOW)
    ahead = direction @ axis
    safe = np.where(ahead > 0.05, ahead, 1)
    x, y = direction @ side / safe / WINDOW_HALF[0], direction @ other / safe / WINDOW_HALF[1]
    pane = (smooth(1.04, 0.96, np.abs(x)) * smooth(1.04, 0.96, np.abs(y))
            * smooth(0.03, 0.07, np.abs(x)) * smooth(0.03, 0.07, np.abs(y - 0.1)))
    return room + (pane * (ahead > 0.05))[..., None] * np.array([1.0, 0.95, 0.88]) * 9


# --- the picture ------------------------------------------------------------------------------


def compose(scene, subject, coverage, table, reach):
    subject, table = (resized(a, WIDTH, HEIGHT, Image.Resampling.BOX) for a in (subject, table))
    coverage = resized(coverage, WIDTH, HEIGHT, Image.Resampling.BOX)[..., None]
    on_table = resized(np.isfinite(reach).astype(np.float32), WIDTH, HEIGHT,
                       Image.Resampling.BOX)[..., None]
    wall = backdrop(scene.rng)
    ground = table + wall * (1 - on_table)

    # The polish of the table mirrors the subject a little, more blurred the further it is.
    base = int(scene.project(np.array([[0, 0, 0.53]]))[1][0] * HEIGHT / scene.h)
    flipped = np.zeros_like(subject), np.zeros_like(coverage)
    depth = min(base, HEIGHT - base)
    for image, source in zip(flipped, (subject, coverage)):
        image[base:base + depth] = source[base - depth:base][::-1]
    fade = np.zeros((HEIGHT, 1, 1), np.float32)
    fade[base:] = 0.16 * np.exp(-np.arange(HEIGHT - base) / 90)[:, None, None]
    ground = ground * (1 - blurred(flipped[1], 5) * fade) + blurred(flipped[0], 5) * fade

    # Focus lies on the vase; the table behind it, and before it, softens away.
    rows = np.where(np.isfinite(reach), reach, TABLE_BACK).mean(1)
    rows = np.interp(np.arange(HEIGHT), np.linspace(0, HEIGHT - 1, len(rows)), rows)
    radius = np.where(rows < 0.6, (0.6 - rows) * 1.9, np.maximum(rows - 1.4, 0) * 1.3)
    steps = [0, 1.5, 3, 6, 9.5]
    levels = [blurred(ground.astype(np.float32), s) for s in steps]
    place = np.interp(radius, steps, np.arange(len(steps)))
    low = np.minimum(place.astype(int), len(steps) - 2)
    part = (place - low)[:, None, None]
    row = np.arange(HEIGHT)
    stack = np.stack(levels)
    ground = stack[low, row] * (1 - part) + stack[low + 1, row] * part
    return subject + ground * (1 - coverage)


def backdrop(rng):
    """A room far out of focus: a plastered wall, the glow of the window, plants and lights."""
    w, h = WIDTH // 2, HEIGHT // 2
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    xs, ys = xs / w, ys / h
    glow = np.exp(-(((xs + 0.05) / 0.55) ** 2 + ((ys - 0.25) / 0.6) ** 2))[..., None]
    wall = mix([0.125, 0.118, 0.104], [0.44, 0.385, 0.31], glow)
    wall *= (0.86 + 0.28 * noise(rng, h, w, (5, 8)))[..., None]

    shapes = Image.new("L", (w, h), 0)
    draw = ImageDraw.Draw(shapes)
    for _ in range(46):  # a large plant at the right
        x, y = w * rng.normal(0.90, 0.07), h * rng.normal(0.36, 0.17)
        a, b = rng.uniform(12, 30), rng.uniform(30, 70)
        leaf = Image.new("L", (w, h), 0)
        ImageDraw.Draw(leaf).ellipse((x - a, y - b, x + a, y + b), fill=int(rng.uniform(90, 220)))
        shapes.paste(255, mask=leaf.rotate(rng.uniform(-60, 60), center=(x, y)).point(
            lambda p: p // 2))
    draw.rectangle((int(w * 0.02), int(h * 0.50), int(w * 0.20), int(h * 0.74)), fill=70)  # books
    plant = blurred(np.asarray(shapes, np.float32) / 255, 9)[..., None]
    wall = mix(wall, [0.070, 0.095, 0.058], plant * 0.75)

    lights = np.zeros((h, w, 3), np.float32)
    for _ in range(26):
        x, y = w * rng.uniform(0.0, 1.0), h * rng.uniform(0.02, 0.62)
        size = rng.uniform(7, 19)
        disc = smooth(size + 1.2, size - 1.2, np.hypot(xs * w - x, ys * h - y))[..., None]
        rgb = mix([0.9, 0.55, 0.22], [0.75, 0.8, 0.7], rng.random())
        lights += disc * rgb * rng.uniform(0.02, 0.15)
    wall = blurred((wall + blurred(lights, 1.5)).astype(np.float32), 3)
    return resized(wall, WIDTH, HEIGHT)


def finish(light, rng):
    """From light to a photograph: bloom, film curve, vignette, grain."""
    light = light.astype(np.float32)
    bright = np.maximum(light - 0.9, 0)
    light = light + 0.10 * blurred(bright, 4) + 0.05 * blurred(bright, 14)
    x = np.maximum(light * 0.92, 0)
    # Narkowicz' fit of the ACES film curve (2015).
    tone = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    ys, xs = np.mgrid[-1:1:HEIGHT * 1j, -1.5:1.5:WIDTH * 1j]
    tone *= (1 - 0.10 * (xs**2 + ys**2) / 1.8)[..., None]
    srgb = np.where(tone <= 0.0031308, tone * 12.92, 1.055 * tone ** (1 / 2.4) - 0.055)
    grain = blurred(rng.normal(0, 1, (HEIGHT, WIDTH, 1)).astype(np.float32), 0.6)
    srgb += grain * 0.016 * (1.2 - srgb)
    image = Image.fromarray((np.clip(srgb, 0, 1) * 255 + 0.5).astype(np.uint8))
    return image.filter(ImageFilter.UnsharpMask(radius=1.0, percent=40, threshold=2))


if __name__ == "__main__":
    main()
