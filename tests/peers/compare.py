"""Compares convscope with onnxruntime, OpenVINO and captum, and prints a Markdown table.

    python tests/peers/compare.py [--rows layers,batch1,…] [--models zfnet,…] [--quick] [--json FILE]

Writes five networks with seeded random weights into a folder, runs all programs on one thread of one core, alternately,
and takes the smallest CPU time of each, until it is stable. Loading and the first run are left out. "meets" says which
goal a figure reaches; the second table has the ratios by network. `values` needs trained models: SqueezeNet is in
`examples/`, others are given by `--trained`.
"""

import argparse
import json
import os
import pathlib
import platform
import tempfile

import measuring
import networks
import occlusion
import programs
import rows

# Rows that are measured for every network, and rows of one figure.
EVERY, ONCE = rows.EVERY | occlusion.EVERY, rows.ONCE | occlusion.ONCE


def machine():
    """Says on what is measured, and how busy that is."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    return f"{model}, {vectors}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start"


def rounded(value):
    if value is None:
        return ""
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def line(figure):
    must, aim = (f"{'≤' if figure.better == 'lower' else '≥'} {rounded(goal)}" if goal is not None else "" for goal in figure.goals)
    measured = f"{rounded(figure.measured)} {figure.unit}".strip()
    what = f"{figure.what}, {figure.network}" if figure.network else figure.what
    return f"| {what} | {must} | {aim} | {measured} | {figure.verdict()} | {figure.detail} |"


def summary(figures):
    """Returns a second table: a line for every row that was measured for several networks, a column for each."""
    several = [figure for figure in figures if figure.row in EVERY]
    columns = [name for name in networks.NETWORKS if any(figure.network == name for figure in several)]
    lines = [f"| ratio | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for what in dict.fromkeys(figure.what for figure in several):
        cells = {figure.network: rounded(figure.measured) for figure in several if figure.what == what}
        lines.append(f"| {what} | {' | '.join(cells.get(name, '') for name in columns)} |")
    return "\n".join(lines)


def measure(bench, arguments):
    """Yields the figures that were asked for, in the order of the table."""
    for row in arguments.rows:
        if row in EVERY:
            for name in arguments.models:
                yield from EVERY[row](bench, name)
        elif row == "values":
            for model in [rows.SQUEEZENET, *arguments.trained]:
                yield from rows.accuracy(bench, model, pathlib.Path(model).stem)
        else:
            yield from ONCE[row](bench)


def main():
    def several(known):
        def parse(text):
            if unknown := set(text.split(",")).difference(known):
                raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: none of {', '.join(known)}")
            return [one for one in known if one in text.split(",")]

        return parse

    known = [*EVERY, *ONCE]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=several(known), default=known, help=", ".join(known))
    parser.add_argument("--models", type=several(networks.NETWORKS), default=list(networks.NETWORKS))
    parser.add_argument("--quick", action="store_true", help="one round, and less of long maps")
    parser.add_argument("--json", type=pathlib.Path, help="write every figure with its parts")
    parser.add_argument("--folder", type=pathlib.Path, help="where networks are written and kept")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1, help="the core on which programs run")
    parser.add_argument("--program", type=pathlib.Path, help="a convscope other than target/release/convscope")
    parser.add_argument("--trained", action="append", default=[], help="a trained model for `values`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        convscope = programs.Convscope(arguments.program, arguments.core)
        bench = rows.Bench(folder, convscope, measuring.Rounds(arguments.quick), arguments.core)
        print(f"{machine()}\n")
        print("| what | must | aim | measured | meets | in detail |\n| --- | --- | --- | --- | --- | --- |", flush=True)
        figures = []
        for figure in measure(bench, arguments):
            figures.append(figure)
            print(line(figure), flush=True)
            if arguments.json:
                kept = [vars(one) | {"verdict": one.verdict()} for one in figures]
                arguments.json.write_text(json.dumps({"machine": machine(), "figures": kept}, indent=1) + "\n")
        if any(figure.row in EVERY for figure in figures):
            print(f"\n{summary(figures)}")
        print(f"\nCompared with {', '.join(sorted(bench.versions)) or 'nothing'}.")


if __name__ == "__main__":
    main()
