"""Compares results of `transform` with what Pillow makes of the same picture.

    python golden.py FOLDER

FOLDER holds the inputs and, for each case below, the result `NAME.png`. `--list` prints the cases
as JSON: name, input, query, whether the watermark goes along. Exit 1 where a result is further from
Pillow's than its tolerance, which is the largest difference of two samples of premultiplied colours.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
RED = (255, 0, 0)


def with_alpha(image):
    return image.convert("RGBA")


def fits(size, method):
    """Each fit as Pillow knows it, for a picture that is wider than `size`."""
    red = {"color": RED}
    return {
        "inside": lambda image: ImageOps.contain(image, size, method),
        "contain": lambda image: ImageOps.pad(image, size, method, **red),
        "cover": lambda image: ImageOps.fit(image, size, method),
        "fill": lambda image: image.resize(size, method),
        "outside": lambda image: ImageOps.cover(image, size, method),
    }


def rounded(image, radius):
    scale = 16
    mask = Image.new("L", (image.width * scale, image.height * scale))
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * scale, fill=255)
    image = with_alpha(image)
    image.putalpha(mask.resize(image.size, Image.Resampling.BOX))
    return image


def marked(image, mark, place, opacity):
    mark = with_alpha(mark)
    mark.putalpha(mark.getchannel("A").point(lambda a: round(a * opacity)))
    layer = Image.new("RGBA", image.size)
    for x, y in place(image, mark):
        layer.paste(mark, (x, y))
    return Image.alpha_composite(with_alpha(image), layer).convert(image.mode)


def southeast(image, mark):
    return [(image.width - mark.width, image.height - mark.height)]


def tiles(image, mark):
    across, down = range(0, image.width, mark.width), range(0, image.height, mark.height)
    return [(x, y) for y in down for x in across]


def flattened(image, color):
    ground = Image.new("RGBA", image.size, color)
    return Image.alpha_composite(ground, with_alpha(image)).convert("RGB")


def smooth(image, sigma):
    return image.filter(ImageFilter.GaussianBlur(sigma))


def sharp(image, amount):
    return image.filter(ImageFilter.UnsharpMask(1, round(100 * amount), 0))


def cases(mark):
    """Name, input, query, what Pillow does, tolerance."""
    yield "same", "photo", "", lambda image: image, 0
    for name, method in FILTERS.items():
        # Taller and wider than the picture's own shape, smaller and larger.
        # Of a sample between two others, the nearest one is anybody's choice: there, sizes at which
        # there is none.
        nearest = name == "nearest"
        for width, height in [(96, 64), (64, 96), (288, 200)] if nearest else [(90, 70), (60, 90), (300, 210)]:
            for fit, wanted in fits((width, height), method).items():
                if nearest and fit != "fill":
                    continue
                query = f"width={width}&height={height}&fit={fit}&filter={name}&enlarge=true"
                query += "&background=red" if fit == "contain" else ""
                label = f"{fit}-{name}-{width}x{height}"
                yield label, "photo", query, wanted, 2
        yield f"alpha-{name}", "clear", f"width=96&height=72&filter={name}", (
            lambda image, method=method: image.resize((96, 72), method)
        ), 2
    turns = {"90": Image.Transpose.ROTATE_270, "180": Image.Transpose.ROTATE_180}
    turns["270"] = Image.Transpose.ROTATE_90
    for degrees, turn in turns.items():
        yield f"rotate-{degrees}", "photo", f"rotate={degrees}", lambda image, t=turn: image.transpose(t), 0
    yield "flip-h", "photo", "flip=h", ImageOps.mirror, 0
    yield "flip-v", "clear", "flip=v", ImageOps.flip, 0
    yield "crop", "photo", "crop=11,12,50,40", lambda image: image.crop((11, 12, 61, 52)), 0
    yield "crop-share", "photo", "crop=25%25,0,50%25,50%25", lambda image: image.crop((40, 0, 120, 60)), 0
    yield "gray", "photo", "grayscale=true", lambda image: image.convert("L").convert("RGB"), 0
    for sigma in (0.6, 2, 9):
        yield f"blur-{sigma}", "photo", f"blur={sigma}", lambda image, s=sigma: smooth(image, s), 2
    for amount in (0.5, 2):
        yield f"sharpen-{amount}", "photo", f"sharpen={amount}", lambda image, a=amount: sharp(image, a), 2 + amount
    yield "pad", "photo", "pad=3,4,5,6&background=red", lambda image: ImageOps.expand(image, (6, 3, 4, 5), RED), 0
    yield "flatten", "clear", "flatten=true&background=red", lambda image: flattened(image, RED), 1
    yield "flatten-white", "clear", "flatten=true", lambda image: flattened(image, "white"), 1
    # A corner's coverage is exact to within a few percent of a pixel, no more.
    yield "radius", "photo", "radius=30", lambda image: rounded(image, 30), 16
    yield "radius-half", "photo", "width=100&height=100&fit=cover&radius=50%25", (
        lambda image: rounded(ImageOps.fit(image, (100, 100), Image.Resampling.LANCZOS), 50)
    ), 16
    yield "mark", "photo", "watermark_opacity=0.5", lambda image: marked(image, mark, southeast, 0.5), 2
    yield "mark-tile", "photo", "watermark_position=tile", lambda image: marked(image, mark, tiles, 1), 2
    yield "mark-alpha", "clear", "watermark_position=tile", lambda image: marked(image, mark, tiles, 1), 2


def premultiplied(image):
    pixels = np.asarray(with_alpha(image), dtype=np.float64)
    alpha = pixels[..., 3:]
    return np.concatenate([pixels[..., :3] * alpha / 255, alpha], axis=2)


def main():
    if sys.argv[1:] == ["--list"]:
        listed = [(name, picture, query, "mark" in name) for name, picture, query, *_ in cases(None)]
        print(json.dumps(listed))
        return 0
    folder = Path(sys.argv[1])
    inputs = {name: Image.open(folder / f"{name}.png") for name in ("photo", "clear", "mark")}
    worst = 0
    for name, picture, _, wanted, tolerance in cases(inputs["mark"]):
        wanted, found = wanted(inputs[picture]), Image.open(folder / f"out-{name}.png")
        if wanted.size != found.size:
            print(f"{name}: {found.size} where Pillow has {wanted.size}")
            worst = 1
            continue
        off = np.abs(premultiplied(wanted) - premultiplied(found))
        if off.max() > tolerance + 0.5:
            print(f"{name}: off by {off.max():.1f}, {off.mean():.3f} on average; allowed are {tolerance}")
            worst = 1
    return worst


if __name__ == "__main__":
    sys.exit(main())
