#!/usr/bin/env python3
"""Writes the catalogue's table in docs/models.md anew, from models/manifest.toml.

A test (`tests/models.rs`) holds one against the other.
"""
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TASKS = ("cutout", "restore", "deblur", "scratch", "inpaint", "upscale", "colorize",
         "face-detect", "face-restore", "kind")
START, END = "<!-- table -->\n", "<!-- end of table -->"
HEAD = ("| name | task | what | size | licence | commercial use | run by us |\n"
        "| --- | --- | --- | ---: | --- | --- | --- |\n")


def size(count):
    if not count:
        return "?"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def row(model):
    about = model["about"].rstrip(".")
    if model.get("built_in"):
        about = f"built in: {about}"
    elif model.get("default"):
        about = f"default: {about}"
    cells = (f"`{model['name']}`", model["task"], about, size(model.get("bytes")), model["license"],
             "yes" if model["commercial_use"] else "no", "yes" if model.get("tested") else "stand-in")
    return f"| {' | '.join(cells)} |\n"


def main():
    models = tomllib.loads((ROOT / "models" / "manifest.toml").read_text())["model"]
    models.sort(key=lambda model: TASKS.index(model["task"]))
    page = ROOT / "docs" / "models.md"
    before, rest = page.read_text().split(START)
    after = rest.split(END)[1]
    page.write_text(before + START + HEAD + "".join(map(row, models)) + END + after)


if __name__ == "__main__":
    main()
