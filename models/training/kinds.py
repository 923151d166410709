"""What the subjects of the sets are, and how a subject is cut out for the net that says so.

The kinds are remove.bg's coarse ones (`type_level=1`) without cars. Some sets are of one kind. Of the
others `kinds.txt` says it for each picture, in the order of their names: h human, a animal, p product,
o other (scenes, plants, food, vehicles, heaps), ? several or doubtful, which is neither trained on nor
measured. It was written by eye, from contact sheets.
"""
import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

import sets

KINDS = ("person", "animal", "product", "other")
LETTERS = {"h": 0, "a": 1, "p": 2, "o": 3, "?": -1}
SIDE = 80  # of the net's input
SURE = (0.69, 0.92, 0.92, 0.0)  # from this likelihood on a kind is claimed (evaluate_kind.py)
PACKED = 160  # of what is kept for training, with room to move the crop about
MARGIN, PACKED_MARGIN = 0.1, 0.3  # around the subject's box, in parts of its longer side
INSIDE = 0.5  # from this value of the matte on a pixel counts for the box

ONE_KIND = {
    "people": "h", "people-varied": "h", "unlabelled-people": "h", "animals": "a", "cats": "a",
    "unlabelled-clothing": "p",
}
EVALUATION = {"people": "h", "people-varied": "h", "animals": "a"}
LICENCES = {s.name: s.licence for s in sets.SETS} | {"clean-photos": "CC0, Unsplash, Pexels, CC BY-SA 4.0"}


def claims(likely, sure=SURE):
    """The index of the claimed kind of each row of likelihoods; that of `other` where none is."""
    best = likely.argmax(1)
    return np.where(likely.max(1) >= np.asarray(sure)[best], best, KINDS.index("other"))


def by_eye():
    """{set: its letters}."""
    found, name = {}, None
    for line in (Path(__file__).parent / "kinds.txt").read_text().split("\n"):
        if " " in line:
            name = line.split()[0]
            found[name] = ""
        elif name:
            found[name] += line
    return found


def part(name, k):
    """Whether picture k of a training set is trained on ("train"), or kept back, in the "first" or in the
    "second" half. Neighbours are often alike, so that most sets are cut in stretches, not in turns."""
    if name == "unlabelled-objects":
        return ("second", "first", "train", "train")[k % 4]
    if name in ("unlabelled-shop", "unlabelled-clothing", "unlabelled-grocery", "clean-photos", "people", "animals"):
        return ("second", "first")[k // 5 % 2] if k // 5 % 10 < 2 else "train"
    if name == "object-cutouts":
        return "first" if 36 <= k < 57 or k >= 156 else "train"
    return "train"


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def matte(session, rgb):
    """The coarse matte, of the model's own size, 0..1."""
    side = session.get_inputs()[0].shape[-1]
    x = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.clip(session.run(None, {"image": x.transpose(2, 0, 1)[None]})[0][0, 0], 0, 1)


def crop(rgb, coarse, side=SIDE, margin=MARGIN):
    """The subject in a square: side x side x 4, RGB and matte, 8-bit; grey without matte beyond the
    picture. None where there is no subject."""
    rows, columns = np.nonzero((coarse >= INSIDE).any(1))[0], np.nonzero((coarse >= INSIDE).any(0))[0]
    if len(rows) == 0:
        return None
    height, width = rgb.shape[:2]
    fx, fy = width / coarse.shape[1], height / coarse.shape[0]
    box = np.array([columns[0] * fx, rows[0] * fy, (columns[-1] + 1) * fx, (rows[-1] + 1) * fy])
    scale = side / (max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * margin))
    small = (max(1, round(width * min(scale, 1))), max(1, round(height * min(scale, 1))))
    pictures = [cv2.resize(p, small, interpolation=cv2.INTER_AREA if small[0] < p.shape[1] else cv2.INTER_LINEAR)
                for p in (rgb, np.rint(coarse * 255).astype(np.uint8))]
    sx, sy = scale * width / small[0], scale * height / small[1]
    move = np.float32([[sx, 0, side / 2 - scale * (box[0] + box[2]) / 2], [0, sy, side / 2 - scale * (box[1] + box[3]) / 2]])
    square = [cv2.warpAffine(p, move, (side, side), flags=cv2.INTER_LINEAR, borderValue=b)
              for p, b in zip(pictures, ((128,) * 3, 0))]
    return np.dstack(square)


def pack(session, folder, letters, out):
    """The crops of a set in a file; pictures without a subject, or without a kind, are left out."""
    crops, labels, places = [], [], []
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".webp"))
    if len(letters) == 1:
        letters = letters * len(files)
    if len(letters) != len(files):
        raise SystemExit(f"{folder}: {len(files)} pictures, {len(letters)} kinds")
    for k, (path, letter) in enumerate(zip(files, letters)):
        if LETTERS[letter] < 0:
            continue
        rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        square = crop(rgb, matte(session, rgb), PACKED, PACKED_MARGIN)
        if square is not None:
            crops.append(square)
            labels.append(LETTERS[letter])
            places.append(k)
    np.savez(out, crops=np.stack(crops), labels=np.array(labels), places=np.array(places))
    print(out, np.bincount(labels, minlength=len(KINDS)), flush=True)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", default="../shared/data")
    args.add_argument("--model", default="models/cutout.onnx")
    args.add_argument("--cache", required=True)
    args = args.parse_args()
    cv2.setNumThreads(1)
    session = open_session(args.model)
    cache = Path(args.cache)
    cache.mkdir(parents=True, exist_ok=True)
    for place, all_sets in (("train", ONE_KIND | by_eye()), ("eval", EVALUATION)):
        for name, letters in all_sets.items():
            out = cache / f"{place}-{name}.npz"
            if not out.exists():
                pack(session, Path(args.data) / place / name, letters, out)


if __name__ == "__main__":
    main()
