#!/usr/bin/env python3
"""Makes the font files of this folder from Inter 4.1 (https://rsms.me/inter, SIL Open Font License 1.1),
as the npm package inter-ui 4.1.1 carries it:

    pip install fonttools==4.68.0 brotli==1.2.0
    python3 subset.py package/web .

For each weight: NAME.ttf, which measures text and which resvg draws with, and NAME.woff2, the same
glyphs, which is embedded in figures and pages.

Digits are the tabular ones, and there is no kerning: the width of a text is then the sum of its
advances in every program that draws it, and columns of numbers stand in line.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

TABULAR = "0123456789+−±"
LETTERS = [(0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF)]
SIGNS = [
    (0x2010, 0x2027), (0x2030, 0x2033), (0x2039, 0x203A), (0x2044, 0x2044),
    (0x2070, 0x209C), (0x20AC, 0x20AC), (0x2122, 0x2122), (0x2190, 0x2195), (0x21D2, 0x21D2),
    (0x2200, 0x2265), (0x22C5, 0x22C5), (0x2308, 0x230B), (0x25A0, 0x25CF), (0x2713, 0x2717),
    (0xFFFD, 0xFFFD),
]


def make(source: Path, target: Path) -> None:
    font = TTFont(source)
    for table in font["cmap"].tables:
        for code in map(ord, TABULAR):
            # Subtables may be one and the same.
            table.cmap[code] = table.cmap[code].removesuffix(".tf") + ".tf"

    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14, 16, 17]  # without 16 and 17 a weight is a family
    options.name_languages = [0x409]
    options.notdef_outline = True
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "DSIG", "STAT", "MVAR"]
    options.recalc_timestamp = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for a, b in LETTERS + SIGNS for c in range(a, b + 1)])
    subsetter.subset(font)

    font.flavor = None
    font.save(target.with_suffix(".ttf"))
    font.flavor = "woff2"
    font.save(target.with_suffix(".woff2"))


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    for weight in ["Regular", "SemiBold"]:
        make(folder / f"Inter-{weight}.woff2", out / f"Inter-{weight}")
