#!/usr/bin/env python3
"""What a restoration with `steps=auto` takes: benches/restoration.py PROGRAM PICTURE [--large]

The picture at 1 megapixel: as it is; with noise; faded, noisy and scratched. One request at a time, medians
of five: seconds, processor time, and the steps that were found to be needed. With --large also the last of
these at 40 megapixels, once, with the three steps named: the most memory that was reserved, and by how much the
process grew.
"""

import http.client
import io
import json
import pathlib
import statistics
import threading
import time

import numpy
import served
from PIL import Image, ImageDraw

REPEATS = 5
SEED = 4
NOISE = 12
# Black becomes dark grey and white light grey, as a print loses its density.
FADED = 55, 205


def noisy(picture, chance):
    return picture + chance.normal(0, NOISE, picture.shape)


def old(picture, chance):
    """Faded, noisy, with scratches a few pixels wide from edge to edge."""
    low, high = FADED
    faded = low + picture * ((high - low) / 255)
    image = Image.fromarray(faded.astype(numpy.uint8))
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for _ in range(12):
        points = [(x * width, y * height) for x, y in chance.random((2, 2))]
        draw.line(points, fill=(235, 235, 235), width=max(2, width // 500))
    return noisy(numpy.asarray(image, numpy.float32), chance)


KINDS = {
    "as it is": lambda picture, _: picture,
    "noise": noisy,
    "faded, noise, scratches": old,
}


def jpeg(file, megapixels, change):
    with Image.open(io.BytesIO(served.resized(file, megapixels))) as opened:
        picture = numpy.asarray(opened, numpy.float32)
    changed = change(picture, numpy.random.default_rng(SEED)).clip(0, 255).astype(numpy.uint8)
    out = io.BytesIO()
    Image.fromarray(changed).save(out, "JPEG", quality=92)
    return out.getvalue()


def restored(server, picture, steps="auto"):
    """Seconds, processor time, and the names of the steps that were done."""
    with server.client() as connection:
        cpu, begin = server.cpu(), time.monotonic()
        connection.request("POST", f"/v1/restore?report=true&steps={steps}", picture, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        steps = json.loads(answer.getheader("X-Restoration-Report"))["steps"]
        done = [step["step"] for step in steps if step["step"] not in ("measure", "detect")]
        return time.monotonic() - begin, server.cpu() - cpu, ", ".join(done) or "none"


def reserved(address):
    """MiB that jobs have reserved now, by the metrics."""
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("safelight_memory_reserved_bytes"):
            return float(line.split()[-1]) / (1 << 20)
    return 0.0


def large(program, file):
    """A row for 40 megapixels."""
    picture = jpeg(file, 40, old)
    with served.Server(program, "--max-megapixels=64") as server:
        before, most, going = server.memory("VmRSS"), [0.0], threading.Event()

        def watch():
            while not going.wait(0.2):
                most[0] = max(most[0], reserved(server.metrics))

        watcher = threading.Thread(target=watch)
        watcher.start()
        seconds, cpu, steps = restored(server, picture, "scratches,denoise,fade")
        going.set()
        watcher.join()
        grown = server.memory("VmHWM") - before
        return [f"40 MP, {list(KINDS)[-1]}", f"{seconds:.1f}", f"{cpu:.1f}", steps, f"{most[0]:.0f}", grown]


def main():
    parser = served.parser(__doc__)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--large", action="store_true", help="40 megapixels too: a minute")
    given = parser.parse_args()
    rows = [["picture", "seconds", "CPU s", "steps", "reserved MiB", "grown MiB"]]
    with served.Server(given.program) as server:
        for kind, change in KINDS.items():
            picture = jpeg(given.picture, 1, change)
            runs = [restored(server, picture) for _ in range(REPEATS + 1)][1:]
            seconds, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
            rows.append([f"1 MP, {kind}", f"{seconds:.2f}", f"{cpu:.2f}", runs[0][2], "", ""])
    if given.large:
        rows.append(large(given.program, given.picture))
    served.publish("restoration", rows, given.write)


if __name__ == "__main__":
    main()
