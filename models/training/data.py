"""Packed sets (prepare.py) as an endless source of training samples."""
import json
from pathlib import Path

import cv2
import numpy as np

import augment
import sets

# How often a subject of a set is put on another ground. Cut-outs on plain ground nearly always;
# scenes less, since their own surroundings teach more than a paste.
COMPOSE = {"object-cutouts": 0.8, "unlabelled-shop": 0.45, "unlabelled-clothing": 0.3, "cats": 0.0}
COMPOSE_OTHERS = 0.22


class Packed:
    def __init__(self, cache, name):
        self.name = name
        self.info = json.loads((Path(cache) / f"{name}.json").read_text())
        self.images = np.load(Path(cache) / f"{name}.images.npy", mmap_mode="r")
        self.mattes = np.load(Path(cache) / f"{name}.mattes.npy", mmap_mode="r")
        self.first = self.info["hold_out"]  # pictures before this one are only validated with

    def pick(self, chance):
        i = int(chance.integers(self.first, len(self.images)))
        return self.images[i], self.mattes[i]


class Source:
    """Draws samples: a set by its weight, a picture of it, an augmentation."""

    def __init__(self, cache, licensed_only=False):
        names = sorted(p.stem for p in Path(cache).glob("*.json"))
        self.sets = [Packed(cache, n) for n in names]
        if licensed_only:
            self.sets = [s for s in self.sets if s.info["licence"] != "none"]
        weight = np.array([s.info["weight"] for s in self.sets])
        self.weight = weight / weight.sum()
        if licensed_only and not (Path(cache) / sets.LICENSED).exists():
            raise SystemExit(f"{cache}: its grounds are of all sets; make it with prepare.py --licensed-only")
        self.grounds = np.load(Path(cache) / "grounds.npy", mmap_mode="r")

    def draw(self, chance):
        return self.sets[int(chance.choice(len(self.sets), p=self.weight))]

    def ground(self, chance, side, subject):
        if chance.random() < 0.35:
            return augment.plain(chance, side, subject)
        picture = self.grounds[int(chance.integers(len(self.grounds)))]
        return augment.warp(chance, [picture], side, zoom=(1.0, 2.2))[0]

    def sample(self, chance, side):
        """(picture, matte), 8-bit, side x side."""
        chosen = self.draw(chance)
        rgb, matte = chosen.pick(chance)
        if chance.random() < COMPOSE.get(chosen.name, COMPOSE_OTHERS):
            subjects = [(rgb, matte)]
            if chance.random() < 0.15:
                subjects.append(self.draw(chance).pick(chance))
            rgb, matte = augment.compose(chance, subjects, self.ground(chance, side, subjects[0]), side)
        else:
            rgb, matte = augment.warp(chance, [rgb, matte], side)
        return augment.camera(chance, augment.colour(chance, rgb)), matte

    def batch(self, seed, count, side):
        """Pictures (n x S x S x 3) and mattes (n x S x S), 8-bit. The seed decides everything."""
        cv2.setNumThreads(1)
        pairs = [self.sample(np.random.default_rng([*seed, i]), side) for i in range(count)]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])

    def held_out(self):
        """{set: (pictures, mattes)} of those kept for validation."""
        return {s.name: (s.images[: s.first], s.mattes[: s.first]) for s in self.sets if s.first}
