"""Measure `safelight restore` on clean pictures with made damage: PSNR and SSIM of what is put in,
of OpenCV's non-local means and Telea's inpainting, and of ours.

    python models/evaluation/evaluate_restoration.py --program target/release/safelight

The damage is made here, by code that no model was trained with. OpenCV is told which steps are
needed. Ours gets the damaged file and `steps=auto`, and is only told of scratches in pictures that
look new. Where a mask is given, both get the true one. SSIM is that of Wang et al. (2004) on luma.
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np


def light(picture):
    v = picture.astype(np.float64) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def samples(light):
    l = np.clip(light, 0, 1)
    return 255 * np.where(l <= 0.0031308, l * 12.92, 1.055 * l ** (1 / 2.4) - 0.055)


def fade(picture, _):
    """Dyes lose density, each its own share (a power of light), and a veil lies over them."""
    density = np.array([0.62, 0.70, 0.74])
    veil = np.array([0.030, 0.022, 0.012])
    return samples(veil + (0.94 - veil) * light(picture) ** density)


def noise(picture, chance):
    """Grain: most of it of lightness, some of colour."""
    h, w = picture.shape[:2]
    return picture + chance.normal(0, 12, (h, w, 1)) + chance.normal(0, 6, (h, w, 3))


def scratches(picture, chance):
    """Long thin scratches, hairs and specks, light and dark, with soft edges."""
    h, w = picture.shape[:2]
    out = picture.astype(np.float64)
    mask = np.zeros((h, w), np.uint8)

    def draw(points, width, value, strength):
        layer = np.zeros((h, w), np.uint8)
        cv2.polylines(layer, [np.round(points * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
        share = layer[..., None] / 255 * strength
        out[:] = out * (1 - share) + value * share
        mask[layer > 40] = 255

    for _ in range(7):  # scratches from end to end
        x, lean = chance.uniform(0, w), chance.normal(0, 0.08)
        y = np.linspace(0, h, 24) if chance.random() < 0.6 else np.linspace(*sorted(chance.uniform(0, h, 2)), 24)
        points = np.stack([x + lean * y + np.cumsum(chance.normal(0, 0.8, 24)), y], 1)
        draw(points, int(chance.integers(1, 4)), 235 if chance.random() < 0.75 else 25, chance.uniform(0.7, 1))
    for _ in range(10):  # hairs
        angle = np.cumsum(chance.normal(0, 0.35, 16)) + chance.uniform(0, 6.3)
        start = chance.uniform([0, 0], [w, h])
        points = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1) * chance.uniform(2, 6), 0)
        draw(points, 1, 240 if chance.random() < 0.6 else 20, chance.uniform(0.7, 1))
    for _ in range(60):  # dust
        point = chance.uniform([0, 0], [w, h])
        points = point + chance.normal(0, 0.9, (3, 2))
        draw(points, int(chance.integers(2, 4)), 240 if chance.random() < 0.6 else 20, chance.uniform(0.7, 1))
    return out, mask


def byte(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def damaged(picture, kinds, chance):
    """The damaged picture, and where it is scratched."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    out = picture.astype(np.float64)
    if "fade" in kinds:
        out = fade(byte(out), chance)
    if "scratches" in kinds:
        out, mask = scratches(out, chance)
    if "noise" in kinds:
        out = noise(out, chance)
    return byte(out), mask


def opencv(picture, mask, kinds):
    """Telea's inpainting, then non-local means with the strength that fits the noise."""
    if "mask" in kinds:
        picture = cv2.inpaint(picture, cv2.dilate(mask, np.ones((3, 3), np.uint8)), 3, cv2.INPAINT_TELEA)
    elif "scratches" in kinds:
        # The usual recipe to find them: what stands out of its surroundings, light or dark.
        grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 0.8)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
        stands = cv2.max(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel), cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel))
        found = cv2.dilate((stands > 60).astype(np.uint8) * 255, np.ones((3, 3), np.uint8))
        picture = cv2.inpaint(picture, found, 3, cv2.INPAINT_TELEA)
    if "noise" in kinds:
        picture = cv2.fastNlMeansDenoisingColored(picture, None, 9, 9, 7, 21)
    elif "jpeg" in kinds:
        picture = cv2.fastNlMeansDenoisingColored(picture, None, 3, 3, 7, 21)
    return picture


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(a, b):
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (a, b))
    blur = lambda p: cv2.GaussianBlur(p, (11, 11), 1.5)
    ma, mb = blur(a), blur(b)
    va, vb, vab = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * ma * mb + c1) * (2 * vab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))))


ROWS = [
    ("noise", {"noise"}),
    ("JPEG", {"jpeg"}),
    ("fading", {"fade"}),
    ("scratches", {"scratches"}),
    ("scratches, mask given", {"scratches", "mask"}),
    ("noise + JPEG", {"noise", "jpeg"}),
    ("fading + noise + JPEG", {"fade", "noise", "jpeg"}),
    ("all four", {"fade", "noise", "jpeg", "scratches"}),
    ("all four, mask given", {"fade", "noise", "jpeg", "scratches", "mask"}),
    ("none", set()),
]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--program", required=True)
    args.add_argument("--pictures", default="../shared/data/eval/restore-kodak")
    args.add_argument("--limit", type=int, default=0)
    args.add_argument("--rows", default="", help="names with a semicolon between them; all where none is named")
    args.add_argument("--quality", type=int, default=35, help="of the JPEG")
    args.add_argument("--keep", help="a folder for the pictures of each row")
    args = args.parse_args()
    files = sorted(Path(args.pictures).iterdir())[: args.limit or None]
    clean = [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in files]
    print("| damage | input PSNR, SSIM | OpenCV | ours | least gain in PSNR |\n|---|---|---|---|---|")
    for name, kinds in ROWS:
        if args.rows and name not in args.rows.split(";"):
            continue
        chance = np.random.default_rng(11)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(args.keep or folder) / name.replace(" ", "_")
            into, masks, out = folder / "in", folder / "mask", folder / "out"
            for f in (into, masks, out):
                f.mkdir(parents=True, exist_ok=True)
            bad, scratched = [], []
            for f, picture in zip(files, clean):
                picture, mask = damaged(picture, kinds, chance)
                path = into / f"{f.stem}.{'jpg' if 'jpeg' in kinds else 'png'}"
                how = [cv2.IMWRITE_JPEG_QUALITY, args.quality] if "jpeg" in kinds else []
                cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)
                cv2.imwrite(str(masks / f"{f.stem}.png"), mask)
                bad.append(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
                scratched.append(mask)
            command = [args.program, "restore", "--format=png", "--force", "--workers=2"]
            if kinds == {"scratches"}:
                command.append("--steps=scratches")
            if "mask" in kinds:
                for f in sorted(into.iterdir()):
                    mask = masks / f"{f.stem}.png"
                    subprocess.run([*command, str(f), "-o", str(out / f"{f.stem}.png"), f"--mask-file={mask}"], check=True)
            else:
                subprocess.run([*command, str(into), "-o", str(out)], check=True)
            ours = [cv2.cvtColor(cv2.imread(str(out / f"{f.stem}.png")), cv2.COLOR_BGR2RGB) for f in files]
        theirs = [opencv(p, m, kinds) for p, m in zip(bad, scratched)]
        score = lambda made: f"{np.mean([psnr(a, b) for a, b in zip(made, clean)]):.2f}, {np.mean([ssim(a, b) for a, b in zip(made, clean)]):.3f}"
        least = min(psnr(a, c) - psnr(b, c) for a, b, c in zip(ours, bad, clean))
        print(f"| {name} | {score(bad)} | {score(theirs)} | {score(ours)} | {least:+.2f} |", flush=True)


if __name__ == "__main__":
    main()
