"""Makes the files in golden/: what PIL makes of a picture that pil.rs makes too.

Made with Python 3.11, Pillow 12.0.0, numpy 2.4.6. Pillow 13 resizes some pictures rows first,
which at sharp edges moves bicubic values by up to twenty grey levels; all before it resize
columns first.

    pip install pillow==12.0.0 numpy
    python core/data/tests/make_goldens.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "golden"


def synthetic(height, width):
    """A gradient in red, stripes in green, noise in blue."""
    y, x = np.mgrid[:height, :width]
    red = (255 * x) // (width - 1)
    green = 255 * ((x // 3 + y // 5) % 2)
    blue = ((x * 7919 + y * 104729) ^ (x * y)) % 256
    return Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))


def resize_and_crop(image, shorter, crop, filter):
    width, height = image.size
    if width <= height:
        size = shorter, round(shorter * height / width)
    else:
        size = round(shorter * width / height), shorter
    left, top = (round((side - crop) / 2) for side in size)
    return image.resize(size, filter).crop((left, top, left + crop, top + crop))


FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
for name, filter in FILTERS.items():
    for way, (height, width, shorter, crop) in {
        "down": (97, 131, 21, 16),
        "tall": (131, 60, 23, 16),
        "up": (11, 9, 24, 16),
    }.items():
        picture = resize_and_crop(synthetic(height, width), shorter, crop, filter)
        np.save(FOLDER / f"{name}_{way}.npy", np.asarray(picture))

# Inks that PIL inverts on writing, as Adobe's programs do.
Image.new("CMYK", (16, 8), (10, 200, 120, 40)).save(FOLDER / "cmyk.jpg", quality=95)
