"""Clean photos, patches of them, and the damage that all image-to-image recipes share."""
from pathlib import Path

import cv2
import numpy as np
import torch

PHOTOS = "../shared/data/train/clean-photos"
PEOPLE = "../shared/data/train/people"  # small, so also enlarged: faces, cloth, streets
HELD_OUT = 11  # every 11th photo is kept back for `models/evaluation`


def photos(folder, scales=(1.0, 0.7, 0.5), least=160, held_out=False, keep_all=False):
    """RGB photos, each at several sizes: the reduced ones are free of their own compression.

    A PNG beside a picture of the same name is its mask and no photo. `held_out` gives the photos that are kept back instead of the others, `keep_all` all of them.
    """
    found = []
    paths = sorted(Path(folder).iterdir())
    masked = {p.stem for p in paths if p.suffix != ".png"}
    paths = [p for p in paths if p.suffix != ".png" or p.stem not in masked]
    for k, path in enumerate(paths):
        if not keep_all and (k % HELD_OUT == HELD_OUT - 1) != held_out:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        for scale in scales:
            small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
            if min(small.shape[:2]) >= least:
                found.append(small)
    return found


def draw(chance, pictures, side):
    """A random patch, flipped or turned; larger photos are drawn as often as their area says."""
    while True:
        picture = pictures[int(chance.integers(len(pictures)))]
        if chance.random() < picture.shape[0] * picture.shape[1] / 1e6 + 0.25:
            break
    y = int(chance.integers(picture.shape[0] - side + 1))
    x = int(chance.integers(picture.shape[1] - side + 1))
    patch = picture[y : y + side, x : x + side]
    if chance.random() < 0.5:
        patch = patch[:, ::-1]
    if chance.random() < 0.5:
        patch = patch.transpose(1, 0, 2)
    return np.ascontiguousarray(patch)


def grey(picture):
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def jpeg(picture, quality, full_colour=False):
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full_colour else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(quality), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)  # JPEG treats its channels differently
    return cv2.cvtColor(cv2.imdecode(cv2.imencode(".jpg", bgr, settings)[1], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def noisy(chance, picture, sigma, shared=0.0, grain=0.0):
    """Gaussian noise; `grain` (px) blurs it, at equal strength.

    `shared` is how far the noises of the channels agree (their correlation is its square): of photos and scans it is
    mostly lightness that is noisy, seldom only that.
    """

    def noise_of(channels):
        return chance.standard_normal(picture.shape[:2] + (channels,), dtype=np.float32)

    noise = noise_of(1 if shared == 1 else 3)
    if 0 < shared < 1:
        noise = (1 - shared**2) ** 0.5 * noise + shared * noise_of(1)
    if grain:
        noise = cv2.GaussianBlur(noise, (0, 0), grain).reshape(noise.shape)
        noise /= noise.std() + 1e-6
    return np.clip(picture + sigma * noise + 0.5, 0, 255).astype(np.uint8)


def tensor(patches, device="cpu"):
    """RGB or one-channel uint8 patches to n x c x h x w, 0..1, laid out channels last."""
    x = torch.from_numpy(np.stack(patches))
    x = x[..., None] if x.dim() == 3 else x
    return x.to(device).permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
