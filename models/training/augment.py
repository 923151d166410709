"""One training sample from packed pictures: composition, geometry, colour, and what cameras do.

All with NumPy and OpenCV on 8-bit squares, which release the interpreter lock: the training threads make
their own samples. Every function takes its random generator, so that a run can be repeated.
"""
import cv2
import numpy as np

from pictures import jpeg


def warp(chance, arrays, side, zoom=(0.85, 1.4), turn=6.0, shift=0.05):
    """The same random affine map for all arrays, to side x side; borders are mirrored."""
    size = arrays[0].shape[0]
    scale = np.exp(chance.uniform(np.log(zoom[0]), np.log(zoom[1]))) * side / size
    stretch = np.exp(chance.normal(0, 0.12))
    angle = np.deg2rad(chance.normal(0, turn if chance.random() < 0.85 else 4 * turn))
    flip = -1.0 if chance.random() < 0.5 else 1.0
    c, s = np.cos(angle), np.sin(angle)
    m = np.array([[c, -s], [s, c]]) @ np.diag([flip * scale * stretch, scale / stretch])
    centre = np.array([size / 2, size / 2])
    room = shift + abs(scale * size / side - 1) / 2  # an enlarged picture may move, others show mirrored borders
    target = np.array([side / 2, side / 2]) + chance.uniform(-room, room, 2) * side
    m = np.column_stack([m, target - m @ centre]).astype(np.float32)
    return [cv2.warpAffine(a, m, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101) for a in arrays]


def place(chance, rgb, matte, side):
    """The subject somewhere on an empty canvas; what the picture cuts off stays at the canvas edge."""
    rows, columns = np.flatnonzero((matte > 24).any(1)), np.flatnonzero((matte > 24).any(0))
    size = matte.shape[0]
    if len(rows) == 0:
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = bottom >= size - 2  # a half-length portrait stands on the lower edge
    height, width = bottom - top, right - left
    scale = chance.uniform(0.35, 1.05) * side / max(height, width)
    stretch = np.exp(chance.normal(0, 0.1))
    sx, sy = scale * stretch, scale / stretch
    angle = 0.0 if cut else np.deg2rad(chance.normal(0, 12))
    c, s = np.cos(angle), np.sin(angle)
    flip = -1.0 if chance.random() < 0.5 else 1.0
    m = np.array([[c, -s], [s, c]]) @ np.diag([flip * sx, sy])
    room_x, room_y = max(side - width * sx, 0), max(side - height * sy, 0)
    x = side / 2 + chance.uniform(-0.5, 0.5) * room_x
    y = side - height * sy / 2 if cut else side / 2 + chance.uniform(-0.5, 0.5) * room_y
    m = np.column_stack([m, np.array([x, y]) - m @ np.array([(left + right) / 2, (top + bottom) / 2])]).astype(np.float32)
    out = cv2.warpAffine(rgb, m, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out, cv2.warpAffine(matte, m, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def foreground(rgb, matte):
    """The subject's own colours, drawn out over its edge, so that no rim of the old ground comes along."""
    core = (cv2.erode(matte, np.ones((3, 3), np.uint8)) > 230).astype(np.float32)
    weight = cv2.blur(core, (9, 9))
    near = cv2.blur(rgb.astype(np.float32) * core[..., None], (9, 9)) / np.maximum(weight, 1e-3)[..., None]
    use = ((core == 0) & (weight > 0.02))[..., None]
    return np.where(use, near, rgb.astype(np.float32))


def plain(chance, side, like=None):
    """A plain ground: one colour (often white, grey or black), a gradient, or a floor and a wall.

    `like` is a (picture, matte): sometimes the ground takes one of the subject's colours, as a white shirt
    before a white wall has it.
    """
    kind = chance.random()
    if like is not None and chance.random() < 0.35:
        inside = np.argwhere(like[1] > 250)
        y, x = inside[int(chance.integers(len(inside)))] if len(inside) else (0, 0)
        a = np.clip(like[0][y, x] + chance.normal(0, 10, 3), 0, 255)
    elif kind < 0.35:
        a = np.full(3, chance.choice([255.0, chance.uniform(225, 255), chance.uniform(0, 60), 128.0]))
    else:
        a = chance.uniform(0, 255, 3)
    b = np.clip(a + chance.normal(0, 35, 3), 0, 255)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    angle = chance.uniform(0, 2 * np.pi)
    t = np.clip((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5, 0, 1)
    if kind > 0.85:
        t = (y > chance.uniform(0.5, 0.9)).astype(np.float32)
    elif kind < 0.5:
        t = t * 0
    return (a * (1 - t[..., None]) + b * t[..., None]).astype(np.float32)


def shadow(chance, ground, matte):
    """A soft shadow beside the subject; it belongs to the ground."""
    dx, dy = chance.uniform(-0.12, 0.12, 2) * matte.shape[0]
    moved = cv2.warpAffine(matte, np.float32([[1, 0, dx], [0, 1, dy]]), matte.shape[::-1])
    soft = cv2.blur(moved, (int(chance.integers(5, 45)),) * 2).astype(np.float32) / 255
    return ground * (1 - chance.uniform(0.15, 0.6) * soft[..., None])


def compose(chance, subjects, ground, side):
    """One or two subjects on a ground. Returns the picture and its exact matte, or None."""
    picture = ground.astype(np.float32)
    total = np.zeros((side, side), np.float32)
    for rgb, matte in subjects:
        placed = place(chance, np.clip(foreground(rgb, matte), 0, 255).astype(np.uint8), matte, side)
        if placed is None:
            continue
        rgb, matte = placed
        if chance.random() < 0.3:
            picture = shadow(chance, picture, matte)
        light = chance.uniform(0.85, 1.15) + chance.normal(0, 0.04, 3)
        alpha = matte.astype(np.float32) / 255
        picture = rgb * light * alpha[..., None] + picture * (1 - alpha[..., None])
        total = np.maximum(total, alpha)
    return np.clip(picture, 0, 255).astype(np.uint8), (total * 255).astype(np.uint8)


def colour(chance, rgb):
    """Exposure, contrast, gamma, white balance and saturation, by a table for each channel."""
    x = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    table = np.clip(x, 0, 1) ** np.exp(chance.normal(0, 0.22)) * np.exp(chance.normal(0, 0.15, (1, 1)))
    table = (table - 0.5) * np.exp(chance.normal(0, 0.18)) + 0.5 + chance.normal(0, 0.04) + chance.normal(0, 0.025, (1, 3))
    rgb = cv2.LUT(rgb, np.clip(np.rint(table * 255), 0, 255).astype(np.uint8)[None])
    grey = chance.random() < 0.06
    if grey or chance.random() < 0.5:
        keep = 0.0 if grey else chance.uniform(0.3, 1.5)
        lightness = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        rgb = cv2.addWeighted(rgb, keep, lightness, 1 - keep, 0)
    return rgb


def camera(chance, rgb):
    """Blur, low resolution, noise and JPEG, each now and then."""
    side = rgb.shape[0]
    if chance.random() < 0.12:
        rgb = cv2.GaussianBlur(rgb, (0, 0), chance.uniform(0.4, 1.8))
    if chance.random() < 0.1:
        small = int(side * chance.uniform(0.35, 0.8))
        rgb = cv2.resize(cv2.resize(rgb, (small, small), interpolation=cv2.INTER_AREA), (side, side))
    if chance.random() < 0.2:
        noise = np.empty(rgb.shape, np.int16)
        cv2.setRNGSeed(int(chance.integers(1 << 30)))
        cv2.randn(noise, 0, float(chance.uniform(1, 14)))
        rgb = cv2.add(rgb, noise, dtype=cv2.CV_8U)
    if chance.random() < 0.25:
        rgb = jpeg(rgb, chance.integers(30, 95))
    return rgb
