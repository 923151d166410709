#!/usr/bin/env python3
"""What each `compression` of PNG, and lossless WebP, makes of real cutouts: benches/png.py PROGRAM PICTURE...

The pictures are cut out once; the cutouts then go through `transform`, which only decodes and encodes,
with each setting. Beside them the same pixels as Pillow writes them at level 6, which is what rembg
answers: bytes against Pillow's (the mean of the pictures' ratios, and the worst), and processor time to
encode a megapixel. That is the time of the whole command less that of one with nearly nothing to
encode.
"""

import io
import pathlib
import resource
import subprocess
import tempfile
import time

import served
from PIL import Image

SETTINGS = {
    "PNG `fast`": ["--format=png", "--compression=fast"],
    "PNG `balanced`": ["--format=png", "--compression=balanced"],
    "PNG `small`": ["--format=png", "--compression=small"],
    "WebP lossless, `fast`": ["--format=webp", "--lossless=true", "--compression=fast"],
    "WebP lossless, `balanced`": ["--format=webp", "--lossless=true", "--compression=balanced"],
}
# Nearly nothing is left to encode.
CHEAPEST = ["--format=png", "--crop=0,0,1,1"]


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pillow(file):
    with Image.open(file) as picture:
        picture.load()
        out, start = io.BytesIO(), time.process_time()
        picture.save(out, "PNG", compress_level=6)
        return len(out.getvalue()), time.process_time() - start


def main():
    parser = served.parser(__doc__)
    parser.add_argument("pictures", nargs="+")
    given = parser.parse_args()
    sizes, times = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        cutouts, out = pathlib.Path(folder, "cutouts"), pathlib.Path(folder, "out")
        cut = [given.program, "remove-background", *given.pictures, "-o", f"{cutouts}/"]
        subprocess.run([*cut, "--format=png"], check=True)
        files = sorted(cutouts.iterdir())
        megapixels = 0
        for file in files:
            with Image.open(file) as opened:
                megapixels += opened.width * opened.height / 1e6
        reference = [pillow(file) for file in files]
        command = [given.program, "transform", cutouts, "-o", f"{out}/", "--force", "--jobs=1"]
        rest = min(cpu(command + CHEAPEST) for _ in range(5))
        for name, options in SETTINGS.items():
            times[name] = min(cpu(command + options) for _ in range(5)) - rest
            made = (next(out.glob(f"{file.stem}.{options[0][9:]}")) for file in files)
            sizes[name] = [new.stat().st_size / old for new, (old, _) in zip(made, reference)]
    sizes["Pillow, level 6"] = [1.0]
    times["Pillow, level 6"] = sum(seconds for _, seconds in reference)
    rows = [["", "bytes, mean", "bytes, worst", "CPU ms a megapixel"]]
    for name, ratios in sizes.items():
        mean, cost = sum(ratios) / len(ratios), 1000 * times[name] / megapixels
        rows.append([name, f"{mean:.2f} x", f"{max(ratios):.2f} x", f"{cost:.0f}"])
    served.publish("png", rows, given.write)


if __name__ == "__main__":
    main()
