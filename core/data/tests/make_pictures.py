"""Makes the files in golden/pictures, golden/damaged and golden/refused, and what PIL makes of them.

Made with Python 3.11, Pillow 13.0.0, numpy 2.4.6.

    pip install pillow==13.0.0 numpy
    python core/data/tests/make_pictures.py

pictures.npy and damaged.npy have one row per file, in the order of the names: height, width, then
the values of `ImageOps.exif_transpose(image).convert("RGB")`, with the exceptions that decode.rs
documents. Transparency is composed over white with `Image.alpha_composite` instead of dropped, and
16-bit values are divided by 257 and rounded, because PIL drops their lower half in some modes and
clips them in others. A row of zeros means that PIL refuses the file. Every file is 12 pixels wide
and 8 high before it is turned.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

GOLDEN = Path(__file__).parent / "golden"
WIDTH, HEIGHT = 12, 8
y, x = np.mgrid[:HEIGHT, :WIDTH]
SMOOTH = np.stack([255 * x // 11, 255 * y // 7, 255 - 20 * x], axis=2).astype(np.uint8)
NOISE = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)

files = {}  # "pictures/name" or "refused/name" → bytes
deep = {}  # the values of 16-bit pictures


def add(name, image, **options):
    data = BytesIO()
    image.save(data, format=options.pop("format", None) or FORMATS[name.split(".")[-1]], **options)
    files[name] = data.getvalue()
    return files[name]


FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "gif": "GIF"}
smooth = Image.fromarray(SMOOTH)
rgb = Image.fromarray(NOISE[..., :3])
rgba = Image.fromarray(NOISE)
grey = Image.fromarray(NOISE[..., 0])
grey_alpha = Image.merge("LA", [grey, Image.fromarray(NOISE[..., 3])])
palette = rgb.quantize(16)
one_bit = grey.convert("1")


def orientation(number):
    exif = Image.Exif()
    exif[0x112] = number
    return exif


# PNG
for mode, image in {
    "rgb": rgb, "rgba": rgba, "grey": grey, "grey_alpha": grey_alpha, "one_bit": one_bit
}.items():
    add(f"pictures/{mode}.png", image)
for bits in (1, 2, 4, 8):
    add(f"pictures/palette_{bits}.png", rgb.quantize(2**min(bits, 5)), bits=bits)
add("pictures/palette_transparent.png", palette, transparency=bytes([0, 80, 255]))
add("pictures/grey_transparent.png", grey, transparency=int(NOISE[0, 0, 0]))
add("pictures/rgb_transparent.png", rgb, transparency=tuple(int(v) for v in NOISE[0, 0, :3]))
add("pictures/animated.png", rgb, save_all=True, append_images=[smooth])
add("pictures/turned_6.png", rgb, exif=orientation(6))
add("pictures/grey_16.png", Image.fromarray(DEEP[..., 0]))
deep["pictures/grey_16.png"] = DEEP[..., :1]


def png(values, depth, colour, interlace):
    """PIL writes no 16-bit RGB and nothing interlaced."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def rows(part):
        big = part.astype(">u2" if depth == 16 else "u1")
        return b"".join(b"\0" + row.tobytes() for row in big if row.size)

    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    data = rows(values)
    if interlace:
        data = b"".join(rows(values[top::down, left::right]) for top, down, left, right in passes)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


files["pictures/rgb_16.png"] = png(DEEP, 16, 2, 0)
deep["pictures/rgb_16.png"] = DEEP
# Indices that the palette of two colours lacks.
lacking = png(NOISE[..., 0] % 4, 8, 3, 0)
header, body = lacking[:33], lacking[33:]
two = b"PLTE" + bytes([255, 0, 0, 0, 255, 0])
files["pictures/palette_lacking.png"] = header + struct.pack(">I", 6) + two + struct.pack(">I", zlib.crc32(two)) + body
files["pictures/interlaced.png"] = png(NOISE[..., :3], 8, 2, 1)

# JPEG
for name, options in {
    "444": {"subsampling": 0}, "422": {"subsampling": 1}, "420": {"subsampling": 2},
    "progressive": {"subsampling": 0, "progressive": True},
    "restarts": {"subsampling": 0, "restart_marker_rows": 1},
    "stored_as_rgb": {"keep_rgb": True},
}.items():
    add(f"pictures/{name}.jpg", smooth, quality=90, **options)
add("pictures/grey.jpg", smooth.convert("L"), quality=90)
stored = files["pictures/stored_as_rgb.jpg"]
adobe = stored.index(b"Adobe")
# Without Adobe's segment only the components' names say it: R, G, B.
files["pictures/named_rgb.jpg"] = stored[: adobe - 4] + stored[adobe + 12 :]
for number in range(1, 9):
    add(f"pictures/turned_{number}.jpg", smooth, quality=90, subsampling=0, exif=orientation(number))
# PIL inverts inks on writing, as Adobe's programs do, and marks the file as theirs.
inks = Image.merge("CMYK", [*smooth.split(), Image.fromarray((SMOOTH[..., 1] // 2))])
cmyk = add("pictures/cmyk.jpg", inks, quality=90)
adobe = cmyk.index(b"Adobe")
# The same numbers read as YCCK: the last byte of Adobe's segment says which.
files["pictures/ycck.jpg"] = cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :]
files["refused/cmyk_without_adobe.jpg"] = cmyk[: adobe - 4] + cmyk[adobe + 12 :]

# WebP
add("pictures/rgb.webp", rgb, lossless=True)
add("pictures/rgba.webp", rgba, lossless=True, exact=True)
add("pictures/lossy.webp", smooth, quality=90)
add("pictures/lossy_alpha.webp", Image.merge("RGBA", [*smooth.split(), Image.fromarray(SMOOTH[..., 0])]), quality=90)
add("pictures/animated.webp", rgb, save_all=True, append_images=[smooth], lossless=True)
add("pictures/turned_8.webp", rgb, lossless=True, exif=orientation(8))

# BMP
for mode, image in {"rgb": rgb, "rgba": rgba, "grey": grey, "palette": palette, "one_bit": one_bit}.items():
    add(f"pictures/{mode}.bmp", image)


def bmp(bits, compression, masks, data, height=HEIGHT):
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    palette = b"".join(bytes([4 * i, 255 - 3 * i, i, 0]) for i in range(256)[:64]) + bytes(4 * 192)
    between = palette if bits == 8 else masks
    start = 14 + 40 + len(between)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + between + data


wide = DEEP[..., 0].astype("<u2")
files["pictures/565.bmp"] = bmp(16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), wide.tobytes())
files["pictures/555.bmp"] = bmp(16, 0, b"", (wide & 0x7FFF).astype("<u2").tobytes())
files["pictures/top_down.bmp"] = bmp(24, 0, b"", NOISE[..., :3].tobytes(), -HEIGHT)
runs = b"".join(bytes([5, row, 0, 4, 1, 2, 3, row, 3, 63 - row, 0, 0]) for row in range(HEIGHT)) + b"\0\1"
files["pictures/rle.bmp"] = bmp(8, 1, b"", runs)

# TIFF
for mode, image in {"rgb": rgb, "rgba": rgba, "grey": grey, "one_bit": one_bit, "cmyk": inks}.items():
    add(f"pictures/{mode}.tif", image)
for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "group4"):
    add(f"pictures/{compression}.tif", one_bit if compression == "group4" else rgb, compression=compression)
add("pictures/jpeg.tif", smooth.convert("L"), compression="jpeg", quality=90)
add("pictures/pages.tif", rgb, save_all=True, append_images=[smooth])
add("pictures/turned_3.tif", rgb, tiffinfo={0x112: 3})
add("pictures/grey_16.tif", Image.fromarray(DEEP[..., 0]))
deep["pictures/grey_16.tif"] = DEEP[..., :1]
add("pictures/white_is_zero.tif", grey, tiffinfo={262: 0})
add("refused/palette.tif", palette)
add("refused/grey_alpha.tif", grey_alpha)
add("refused/float.tif", Image.fromarray(DEEP[..., 0].astype(np.float32)))
add("refused/int32.tif", Image.fromarray(DEEP[..., 0].astype(np.int32)))

# GIF
add("pictures/palette.gif", palette)
add("pictures/transparent.gif", palette, transparency=3)
add("pictures/animated.gif", palette, save_all=True, append_images=[smooth.quantize(8)])
gif = files["pictures/palette.gif"]
frame = gif.index(b",\0\0\0\0" + struct.pack("<HH", WIDTH, HEIGHT))
# The frame lies two pixels to the right and one down on a canvas that is as much larger.
files["pictures/offset.gif"] = (
    gif[:6] + struct.pack("<HH", WIDTH + 2, HEIGHT + 1) + gif[10:frame] + b",\2\0\1\0" + gif[frame + 5 :]
)


def over_canvas(image, name):
    """What lies outside the frame, or has a colour that the palette lacks, is transparent."""
    colours = np.full((257, 3), 255, np.uint8)
    known = np.frombuffer(image.palette.palette, np.uint8).reshape(-1, 3)
    colours[: len(known)] = known
    indices = np.asarray(image).astype(int)
    indices[indices == image.info.get("transparency")] = 256
    if "offset" in name:
        indices[:1] = indices[:, :2] = 256
    return Image.fromarray(colours[indices])


def row(name, data):
    try:
        image = ImageOps.exif_transpose(Image.open(BytesIO(data)))
        image.load()
    except Exception:
        return np.zeros(2 + 3 * 200, np.uint8)
    if name in deep:
        values = np.round(deep[name] / 257.0).astype(np.uint8)
        values = np.broadcast_to(values, (HEIGHT, WIDTH, 3))
    else:
        if name.endswith(".gif") and image.mode == "P":
            image = over_canvas(image, name)
        elif image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        values = np.asarray(image.convert("RGB"))
    height, width, _ = values.shape
    flat = np.concatenate([[height, width], values.ravel()]).astype(np.uint8)
    return np.pad(flat, (0, 2 + 3 * 200 - len(flat)))


# Bodies with one byte changed, where no checksum tells: decoders must notice or agree.
for source in ("444.jpg", "420.jpg", "progressive.jpg", "restarts.jpg", "grey.jpg", "lossy.webp", "rgb.webp", "rle.bmp", "tiff_lzw.tif", "packbits.tif", "palette.gif"):
    data = files[f"pictures/{source}"]
    start = data.index(b"\xff\xda") + 14 if source.endswith("jpg") else len(data) // 3
    for part in range(4):
        place = start + (len(data) - start - 2) * part // 4
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        stem, kind = source.split(".")
        files[f"damaged/{stem}_{part}.{kind}"] = bytes(damaged)

for folder in ("pictures", "damaged", "refused"):
    (GOLDEN / folder).mkdir(parents=True, exist_ok=True)
    names = sorted(name for name in files if name.startswith(folder))
    for name in names:
        (GOLDEN / name).write_bytes(files[name])
    if folder != "refused":
        np.save(GOLDEN / f"{folder}.npy", np.stack([row(name, files[name]) for name in names]))
