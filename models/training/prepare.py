"""Pack the training pictures into square arrays that training can map into memory.

For each set: NAME.images.npy (N x S x S x 3), NAME.mattes.npy (N x S x S) and NAME.json (names, and
what was dropped and why); and grounds.npy: pictures without a subject, for composition. Teacher mattes
(label.py) are used where no mask lies beside the picture, and only where the teacher was sure.
"""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np

import sets


def read(path, side):
    rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)


def read_matte(path, side):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    how = cv2.INTER_AREA if grey.shape[0] > side else cv2.INTER_LINEAR
    return cv2.resize(grey, (side, side), interpolation=how).astype(np.float32) / 255


def guided(matte, rgb, radius=6, eps=1e-4):
    """Guided filter: lets the matte's edges follow those of the picture."""
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    def mean(x):
        return cv2.blur(x, (2 * radius + 1, 2 * radius + 1))

    mg, mm = mean(guide), mean(matte)
    a = (mean(guide * matte) - mg * mm) / (mean(guide * guide) - mg * mg + eps)
    return np.clip(mean(a) * guide + mean(mm - a * mg), 0, 1)


def doubt(matte):
    """Share of the teacher's middle values, beside the subject's own area: high when unsure."""
    return float(((matte > 0.15) & (matte < 0.85)).mean() / max((matte > 0.5).mean(), 1e-3))


def harden(matte):
    """Pushes veils to 0 and near-solid parts to 1, keeps a soft edge."""
    return np.clip((matte - 0.2) / 0.6, 0, 1)


def teacher_target(matte, rgb):
    """The teacher's matte with its edge refined by the picture, and without veils."""
    solid = harden(matte)
    near = cv2.dilate(((matte > 0.05) & (matte < 0.95)).astype(np.uint8), np.ones((5, 5), np.uint8))
    refined = harden(guided(matte, rgb))
    return np.where(near > 0, 0.5 * solid + 0.5 * refined, solid)


def iou(a, b):
    a, b = a > 0.5, b > 0.5
    return float((a & b).sum() / max((a | b).sum(), 1))


def pack(a_set, args):
    where = sets.folder(args.data, a_set)
    name = Path(a_set.name).name
    images, mattes, kept, dropped = [], [], [], {}
    for n, path in enumerate(sets.pictures(where, a_set.labelled)):
        rgb = read(path, args.side)
        teacher = Path(args.cache) / "teacher" / name / (path.stem + ".png")
        guess = read_matte(teacher, args.side) if teacher.exists() else None
        if a_set.labelled:
            matte = read_matte(path.with_suffix(".png"), args.side)
            if a_set.check and (guess is None or iou(guess, matte) < 0.6):
                dropped[path.name] = "teacher disagrees" if guess is not None else "not labelled"
                continue
        else:
            if guess is None:
                dropped[path.name] = "not labelled"
                continue
            area = float((guess > 0.5).mean())
            if n >= a_set.hold_out and (doubt(guess) > args.doubt or not 0.02 < area < 0.9):
                dropped[path.name] = f"unsure: doubt {doubt(guess):.2f}, area {area:.2f}"
                continue
            matte = teacher_target(guess, rgb)
        images.append(rgb)
        mattes.append(np.rint(matte * 255).astype(np.uint8))
        kept.append(path.name)
    out = Path(args.cache) / name
    held = min(a_set.hold_out, len(kept))
    np.save(f"{out}.images.npy", np.stack(images))
    np.save(f"{out}.mattes.npy", np.stack(mattes))
    info = {"names": kept, "hold_out": held, "licence": a_set.licence, "weight": a_set.weight, "dropped": dropped}
    Path(f"{out}.json").write_text(json.dumps(info, indent=1))
    print(name, "kept", len(kept), "dropped", len(dropped), flush=True)
    return images[held:], mattes[held:]


def empty_strips(rgb, matte):
    """The widest strip beside the subject, as a ground of its own, if it is wide enough."""
    side = rgb.shape[0]
    taken = cv2.dilate((matte > 12).astype(np.uint8), np.ones((9, 9), np.uint8))
    columns, rows = np.flatnonzero(taken.any(0)), np.flatnonzero(taken.any(1))
    if len(columns) == 0:
        return []
    left, right, top, bottom = columns[0], side - 1 - columns[-1], rows[0], side - 1 - rows[-1]
    cuts = {left: rgb[:, :left], right: rgb[:, side - right :], top: rgb[:top], bottom: rgb[side - bottom :]}
    best = max(cuts)
    return [cv2.resize(cuts[best], (side, side), interpolation=cv2.INTER_LINEAR)] if best > 0.4 * side else []


def grounds(packed, args):
    found = []
    chance = np.random.default_rng(0)
    for path in sets.pictures(Path(args.data) / sets.BACKGROUNDS, False):
        teacher = Path(args.cache) / "teacher" / sets.BACKGROUNDS / (path.stem + ".png")
        if not teacher.exists():
            continue
        rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        matte = cv2.resize(cv2.imread(str(teacher), cv2.IMREAD_GRAYSCALE), rgb.shape[1::-1])
        for _ in range(8):
            size = int(chance.uniform(0.4, 1.0) * min(rgb.shape[:2]))
            y, x = chance.integers(0, rgb.shape[0] - size + 1), chance.integers(0, rgb.shape[1] - size + 1)
            if (matte[y : y + size, x : x + size] > 64).mean() < 0.02:
                found.append(cv2.resize(rgb[y : y + size, x : x + size], (args.side, args.side), interpolation=cv2.INTER_AREA))
    for images, mattes in packed:
        for rgb, matte in zip(images, mattes):
            found += empty_strips(rgb, matte)
    np.save(Path(args.cache) / "grounds.npy", np.stack(found))
    licensed = Path(args.cache) / sets.LICENSED
    licensed.unlink(missing_ok=True)
    if args.licensed_only:
        licensed.touch()
    print("grounds", len(found))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", default="../shared/data/train")
    args.add_argument("--cache", required=True)
    args.add_argument("--side", type=int, default=384)
    args.add_argument("--doubt", type=float, default=0.5, help="drop a teacher matte above this")
    args.add_argument("--licensed-only", action="store_true")
    args.add_argument("--extra", action="append", default=[], help="a folder of pairs, like NAME.jpg NAME.png")
    args.add_argument("--only", action="append", default=[], help="pack just these sets, no grounds")
    args = args.parse_args()
    cv2.setNumThreads(1)
    todo = [s for s in sets.chosen(args.licensed_only, args.extra) if not args.only or s.name in args.only]
    packed = [pack(s, args) for s in todo]
    if not args.only:
        grounds(packed, args)


if __name__ == "__main__":
    main()
