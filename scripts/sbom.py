#!/usr/bin/env python3
"""Writes a CycloneDX 1.5 bill of materials of what a release ships, to standard output.

Named are the crates of Cargo.lock with the hashes that cargo checks them by, ONNX Runtime with the
hash of the wheel that it comes out of, and the built-in models. Crates that only tests, benchmarks or
other platforms use are there with scope `excluded`. The same sources give the same document: it has
no time and no random number. Needs cargo, which fetches those crates of other platforms that it lacks.
"""

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import fetch_onnxruntime  # noqa: E402 (it is beside this file)


def main():
    packages = json.loads(cargo("metadata", "--format-version=1", "--locked"))
    own = next(p for p in packages["packages"] if p["name"] == "safelight")
    crates = [crate(p) for p in packages["packages"] if p["source"]]
    shipped = set(cargo("tree", "--locked", "--edges=normal,build", "--prefix=none",
                        "--format={p}").splitlines())
    shipped = {tuple(line.split(" ")[:2]) for line in shipped if line}
    for component in crates:
        used = (component["name"], "v" + component["version"]) in shipped
        component["scope"] = "required" if used else "excluded"
    hashes = checksums()
    for component in crates:
        digest = hashes[(component["name"], component["version"])]
        component["hashes"] = [{"alg": "SHA-256", "content": digest}]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": program(own)},
        "components": sorted(crates, key=lambda c: (c["name"], c["version"])) + [runtime()] + models(),
        "dependencies": dependencies(packages, own),
    }
    json.dump(document, sys.stdout, indent=2)
    print()


def cargo(*arguments):
    done = subprocess.run(("cargo",) + arguments, cwd=str(ROOT), stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"sbom: cargo {arguments[0]} failed")
    return done.stdout.decode()


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def crate(package):
    component = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package["license"]:
        # Before SPDX had OR, crates wrote a slash.
        expression = re.sub(r"\s*/\s*", " OR ", package["license"])
        component["licenses"] = [{"expression": expression}]
    return component


def program(package):
    return {
        "type": "application",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": package["license"]}],
    }


def checksums():
    """Name and version of each crate in Cargo.lock, with its SHA-256."""
    found = {}
    for block in (ROOT / "Cargo.lock").read_text().split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.MULTILINE))
        if "checksum" in fields:
            found[(fields["name"], fields["version"])] = fields["checksum"]
    return found


def runtime():
    """The library beside the program, for the platform that this runs on."""
    machine = {"amd64": "x86_64"}.get(platform.machine(), platform.machine())
    _, digest, _, _ = fetch_onnxruntime.pins_for(platform.system(), machine)
    version = fetch_onnxruntime.VERSION
    purl = f"pkg:pypi/onnxruntime@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": "onnxruntime",
        "version": version,
        "purl": purl,
        "scope": "required",
        "licenses": [{"expression": "MIT"}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def models():
    """The models that are part of the program."""
    found = []
    for block in (ROOT / "models" / "manifest.toml").read_text().split("[[model]]")[1:]:
        if not re.search(r"^built_in = true$", block, re.MULTILINE):
            continue
        fields = dict(re.findall(r'^(name|sha256|license|about) = "(.*)"$', block, re.MULTILINE))
        found.append({
            "type": "machine-learning-model",
            "bom-ref": f"model/{fields['name']}",
            "name": fields["name"],
            "description": fields["about"],
            "scope": "required",
            "licenses": [{"expression": fields["license"]}],
            "hashes": [{"alg": "SHA-256", "content": fields["sha256"]}],
        })
    return found


def dependencies(packages, own):
    """Who needs whom, as cargo has resolved it."""
    known = {p["id"]: reference(p) for p in packages["packages"]}
    listed = {p["id"] for p in packages["packages"] if p["source"]} | {own["id"]}
    found = []
    for node in sorted(packages["resolve"]["nodes"], key=lambda n: known[n["id"]]):
        if node["id"] in listed:
            needs = sorted({known[n] for n in node["dependencies"] if n in listed})
            found.append({"ref": known[node["id"]], "dependsOn": needs})
    return found


if __name__ == "__main__":
    main()
