"""Made damage of old photographs: cracks, scratches, hairs, dust, tears and stains, and old looks.

Everything works on square uint8 RGB patches. A layer is an opacity (float, 0..1) that `lay` paints with
a colour; the mask holds the pixels that this visibly changed, as numbers of their kind.
"""
from pathlib import Path

import cv2
import numpy as np

from pictures import grey, jpeg, noisy

MAPS = "../shared/data/train/film-damage"
PAPER = "../shared/data/train/paper"
THIN = ("dirt", "hair", "hair-sh", "lint", "scratch", "spots", "sprink")  # the others are blots
VISIBLE = 24  # grey levels by which a pixel must differ from the undamaged one to be in the mask
HELD_OUT = 10  # every 10th map is kept back
KINDS = ("crack", "scratch", "dust", "film", "blots", "tear")  # a pixel of the k-th has k + 1 in the mask


def maps(folder=MAPS, held_out=False):
    """Film-damage opacities by class: {"thin": [...], "blots": [...]}."""
    found = {"thin": [], "blots": []}
    for k, path in enumerate(sorted(Path(folder).glob("*.png"))):
        if (k % HELD_OUT == HELD_OUT - 1) == held_out:
            name = path.stem.rsplit("-", 1)[0]
            found["thin" if name in THIN else "blots"].append(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    return found


def papers(folder=PAPER):
    found = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in sorted(Path(folder).iterdir())]
    return [cv2.resize(p, (512, 512)) for p in found if p is not None]


def field(chance, side, sigma):
    """Smooth noise of standard deviation 1."""
    small = max(8, int(side / max(1.0, sigma)))
    noise = chance.standard_normal((small, small), dtype=np.float32)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)


def jagged(chance, a, b, rough, depth):
    """A line from a to b by midpoint displacement."""
    points = np.array([a, b], np.float32)
    for _ in range(depth):
        step = points[1:] - points[:-1]
        across = np.stack([-step[:, 1], step[:, 0]], 1)
        middle = (points[1:] + points[:-1]) / 2 + across * chance.normal(0, rough, (len(step), 1)).astype(np.float32)
        merged = np.empty((len(points) + len(middle), 2), np.float32)
        merged[0::2], merged[1::2] = points, middle
        points = merged
    return points


def stroke(canvas, chance, points, width, gaps):
    """The line with a width that wanders between 1 and `width`, interrupted for a share `gaps`."""
    count = len(points) - 1
    wander = np.interp(np.arange(count), np.linspace(0, count, 6), chance.uniform(0.2, 1, 6))
    broken = np.interp(np.arange(count), np.linspace(0, count, 12), chance.random(12)) < gaps
    fixed = np.rint(points * 16).astype(int)
    for k in range(count):
        if not broken[k]:
            cv2.line(canvas, tuple(fixed[k].tolist()), tuple(fixed[k + 1].tolist()), 255, max(1, round(width * wander[k])), cv2.LINE_AA, 4)


def crack(chance, side, widest=6):
    """A crease or crack through the emulsion, with branches and flaky edges."""
    canvas = np.zeros((side, side), np.uint8)
    width = chance.uniform(1, widest) if chance.random() < 0.6 else chance.uniform(1, 2.5)
    rough = chance.choice([0.02, 0.06, 0.12])
    a, b = chance.uniform(-0.2, 1.2, (2, 2)) * side
    points = jagged(chance, a, b, rough, 6)
    stroke(canvas, chance, points, width, chance.uniform(0, 0.3))
    for _ in range(int(chance.integers(0, 4))):
        start = points[int(chance.integers(len(points)))]
        stroke(canvas, chance, jagged(chance, start, start + chance.normal(0, 0.25 * side, 2), rough, 5), width * chance.uniform(0.3, 0.9), 0.2)
    alpha = canvas.astype(np.float32) / 255
    if width > 2 and chance.random() < 0.7:
        alpha = cv2.GaussianBlur(alpha, (0, 0), width / 4)
        alpha = np.clip((alpha + 0.25 * field(chance, side, chance.uniform(1, 2.5)) * (alpha > 0.1) - 0.3) * 4, 0, 1)
    return alpha


def scratch(chance, side):
    """Some fine, nearly straight lines in about one direction."""
    canvas = np.zeros((side, side), np.uint8)
    angle = chance.uniform(0, np.pi) if chance.random() < 0.6 else np.pi / 2 + chance.normal(0, 0.03)
    for _ in range(int(chance.integers(1, 6))):
        turn = angle + chance.normal(0, 0.15)
        along = np.array([np.cos(turn), np.sin(turn)]) * side * chance.uniform(0.1, 1.0)
        middle = chance.uniform(0, 1, 2) * side
        stroke(canvas, chance, jagged(chance, middle - along, middle + along, chance.uniform(0, 0.02), 4), chance.uniform(1, 2.6), chance.uniform(0, 0.4))
    return canvas.astype(np.float32) / 255


def dust(chance, side):
    """Specks and short fibres."""
    canvas = np.zeros((side, side), np.uint8)
    size = chance.uniform(0.6, 3.0)
    for _ in range(int(chance.integers(2, 40))):
        x, y = (chance.uniform(0, side, 2) * 16).astype(int).tolist()
        radii = np.maximum(6, chance.gamma(2, size / 2, 2) * 16).astype(int).tolist()
        cv2.ellipse(canvas, (x, y), (min(radii[0], 112), min(radii[1], 112)), int(chance.integers(180)), 0, 360, 255, -1, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def tear(chance, side):
    """A corner or an edge of the picture that is gone."""
    turn = np.array([[0, -1], [1, 0]])
    corner = np.array([-0.1, -0.1])
    reach = chance.uniform(0.1, 0.5, 2) if chance.random() < 0.6 else np.array([chance.uniform(0.02, 0.2), 1.3])
    edge = jagged(chance, [reach[0], -0.1], [-0.1 if reach[1] < 1 else chance.uniform(0.02, 0.2), reach[1]], 0.12, 6)
    points = np.concatenate([edge, [[-0.1, reach[1]], corner]]) - 0.5
    points = (points @ np.linalg.matrix_power(turn, int(chance.integers(4))) + 0.5) * side
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def film(chance, side, found, kind):
    """One of the film-damage maps, turned, scaled and shifted."""
    alpha = found[kind][int(chance.integers(len(found[kind])))]
    size = alpha.shape[0]
    scale = side / size * (chance.uniform(0.5, 1.5) if kind == "thin" else chance.uniform(0.15, 0.8))
    turned = cv2.getRotationMatrix2D((size / 2, size / 2), chance.uniform(0, 360), scale)
    turned[:, 2] += chance.uniform(0.1, 0.9, 2) * side - size / 2
    if scale < 0.8:
        alpha = cv2.GaussianBlur(alpha, (0, 0), 0.35 / scale)
    return cv2.warpAffine(alpha, turned, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32) / 255


def paper(chance, side, sheets, light):
    """What shows where the picture is gone, bare paper or dirt and shadow: its lightness, and its tint."""
    base = chance.uniform(170, 255) if light else chance.uniform(0, 70)
    tint = np.array([1.0, 1.0 - chance.uniform(0, 0.06), 1.0 - chance.uniform(0, 0.2)], np.float32) if chance.random() < 0.6 else np.ones(3, np.float32)
    tone = np.full((side, side), base, np.float32)
    if chance.random() < 0.6:
        sheet = sheets[int(chance.integers(len(sheets)))]
        y, x = chance.integers(0, 512 - side + 1, 2)
        cut = sheet[y : y + side, x : x + side].astype(np.float32)
        tone += (cut - cut.mean()) * chance.uniform(0.3, 1.5)
    if chance.random() < 0.4:
        tone += field(chance, side, chance.uniform(1, 12)) * chance.uniform(3, 20)
    return tone, tint


def lay(picture, mask, kind, alpha, tone, tint, opacity):
    """Paint on the picture; gives the pixels that differ visibly (beyond white and black nothing does) their kind in the mask.
    Damage covers a few pixels in a hundred, so only these are looked at."""
    at = np.flatnonzero(alpha > 0)
    pixels, alpha = picture.reshape(-1, 3), alpha.reshape(-1)[at]
    before = pixels[at]
    colour = tone.reshape(-1)[at, None] * tint
    painted = np.clip(before + (alpha * opacity)[:, None] * (colour - before), 0, 255)
    r, g, b = np.abs(painted - before).T
    seen = np.maximum(np.maximum(r, g), b) > VISIBLE
    pixels[at] = painted
    mask.reshape(-1)[at[seen & (alpha > 0.2)]] = kind


def damaged(chance, patch, found, sheets, large=1.0, more=1.0):
    """The patch with none to many kinds of damage, and the mask of it (uint8: 0, or the kind on top).
    All of it is `more` times as frequent as it is measured, blots and tears `large` times that."""
    side = patch.shape[0]
    picture, mask = patch.astype(np.float32), np.zeros(patch.shape[:2], np.uint8)
    makers = (  # in the order of KINDS
        (0.45, lambda: crack(chance, side)), (0.35, lambda: scratch(chance, side)), (0.35, lambda: dust(chance, side)),
        (0.45, lambda: film(chance, side, found, "thin")), (0.08 * large, lambda: film(chance, side, found, "blots")),
        (0.04 * large, lambda: tear(chance, side)),
    )
    amount = chance.choice([0.5, 1.0, 1.8]) * more
    for kind, (share, make) in enumerate(makers, 1):
        repeats = chance.poisson(share * amount)
        for _ in range(min(repeats, 4)):
            alpha = make()
            if chance.random() < 0.35:
                alpha = cv2.GaussianBlur(alpha, (0, 0), chance.uniform(0.4, 0.9))
            light = chance.random() < 0.78
            tone, tint = paper(chance, side, sheets, light)
            opacity = chance.uniform(0.75, 1) if chance.random() < 0.6 else chance.uniform(0.25, 0.8)
            if light and chance.random() < 0.15:  # the raised rim of a crack throws a shadow
                shift = chance.integers(-2, 3, 2)
                lay(picture, mask, kind, np.roll(alpha, tuple(shift), (0, 1)), tone * 0.2, tint, opacity * 0.6)
            lay(picture, mask, kind, alpha, tone, tint, opacity)
    return picture.astype(np.uint8), mask


def framed(chance, patch):
    """The straight margin of a print on one or two sides, sometimes with a line along it: no damage."""
    side = patch.shape[0]
    tone = chance.uniform(185, 256) if chance.random() < 0.75 else chance.uniform(0, 70)
    colour = tone * np.array([1, chance.uniform(0.94, 1), chance.uniform(0.82, 1)])
    a, b = chance.uniform(0, 0.25, 2) * side  # where the picture begins
    a = a if chance.random() < 0.6 else -side
    corners = np.array([[a, b], [2 * side, b], [2 * side, 2 * side], [a, 2 * side]])
    turn = chance.integers(4) * np.pi / 2 + (chance.normal(0, 0.02) if chance.random() < 0.5 else 0)
    corners = (corners - side / 2) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + side / 2
    points, inner = [np.rint(corners * 16).astype(np.int32)], np.zeros((side, side), np.uint8)
    cv2.fillPoly(inner, points, 255, cv2.LINE_AA, 4)
    share = inner[..., None] / 255.0
    picture = (patch * share + colour * (1 - share)).astype(np.uint8)
    if chance.random() < 0.3:
        line = int(chance.integers(0, 256))
        cv2.polylines(picture, points, True, (line, line, line), int(chance.integers(1, 3)), cv2.LINE_AA, 4)
    return picture


def drawn(chance, patch):
    """Lettering and outlines as people print and draw them: no damage."""
    side, picture = patch.shape[0], patch.copy()
    if chance.random() < 0.3:  # a page rather than a photo
        picture[:] = int(chance.integers(200, 256))
    tone = chance.integers(0, 90, 3) if chance.random() < 0.6 else chance.integers(170, 256, 3)
    colour = [int(v) for v in (tone if chance.random() < 0.4 else np.full(3, tone[0]))]
    thick = int(chance.integers(1, 4))
    for _ in range(int(chance.integers(1, 5))):
        (x, y), (w, h) = chance.integers(0, side, 2).tolist(), chance.integers(8, side // 2, 2).tolist()
        shape = chance.random()
        if shape < 0.55:
            letters = "".join(chr(int(c)) for c in chance.integers(33, 123, chance.integers(2, 16)))
            font, size = int(chance.integers(0, 8)), chance.uniform(0.3, 1.6)
            for line in range(int(chance.integers(1, 4))):
                cv2.putText(picture, letters[line:] + letters[:line], (x - side // 3, y + int(line * 34 * size)), font, size, colour, thick, cv2.LINE_AA)
        elif shape < 0.7:
            cv2.rectangle(picture, (x, y), (x + w, y + h), colour, thick, cv2.LINE_AA)
        elif shape < 0.85:
            cv2.ellipse(picture, (x, y), (w // 2, h // 2), int(chance.integers(180)), 0, int(chance.choice([180, 360])), colour, thick, cv2.LINE_AA)
        else:  # a curve as instruments write it, in its frame
            steps = np.stack([np.linspace(x, x + w, 40), y + chance.normal(0, 6, 40).cumsum()], 1)
            cv2.polylines(picture, [np.rint(steps * 16).astype(np.int32)], False, colour, 1, cv2.LINE_AA, 4)
            cv2.rectangle(picture, (x, y - 30), (x + w, y + 30), colour, 1, cv2.LINE_AA)
    return picture


def old_look(chance, patch):
    """Colour, grey or sepia; faded or not; grain of the print."""
    roll = chance.random()
    if roll < 0.65:
        patch = grey(patch)
    x = patch.astype(np.float32)
    if 0.3 < roll < 0.65:
        tint = np.array([1.0, chance.uniform(0.8, 0.96), chance.uniform(0.5, 0.88)], np.float32)
        dark = np.array([chance.uniform(10, 60), chance.uniform(5, 45), chance.uniform(0, 30)], np.float32)
        x = dark + x * tint * (1 - dark / 255)
    elif chance.random() < 0.2:
        x *= chance.uniform(0.75, 1.0, 3).astype(np.float32)
    if chance.random() < 0.5:
        low = chance.uniform(0, 60)
        x = low + x * chance.uniform(0.45, 1.0) * (255 - low) / 255
    if chance.random() < 0.3:
        x = 255 * (np.clip(x, 0, 255) / 255) ** chance.uniform(0.6, 1.6)
    x = np.clip(x, 0, 255).astype(np.uint8)
    if chance.random() < 0.25:
        x = cv2.GaussianBlur(x, (0, 0), chance.uniform(0.5, 1.6))
    if chance.random() < 0.5:
        x = noisy(chance, x, chance.uniform(1, 14), float(chance.random() < 0.6), chance.uniform(0.5, 1.2) if chance.random() < 0.5 else 0)
    return x


def scan(chance, picture):
    """What the scanner adds after the damage."""
    if chance.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.4, 0.8))
    if chance.random() < 0.3:
        picture = noisy(chance, picture, chance.uniform(1, 6))
    if chance.random() < 0.6:
        picture = jpeg(picture, chance.integers(45, 97))
    return picture
