"""The training sets: where they lie, what their licence says, how often they are drawn.

`weight` is the share of a set in the draw, not per picture. The object sets weigh much more than
their size: the earlier model was weakest on kinds of things that it had never seen.
`labelled` means that a mask lies beside each picture; the others get theirs from the teacher.
"""
from dataclasses import dataclass
from pathlib import Path

PICTURES = {".webp", ".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Set:
    name: str
    licence: str  # as stated by its source; "none" when it states none
    weight: float
    labelled: bool
    hold_out: int = 0  # the first N are kept for validation and never trained on
    check: bool = False  # drop pairs where teacher and mask disagree


SETS = [
    Set("unlabelled-objects", "none", 0.27, False, hold_out=40),
    Set("unlabelled-subjects", "CC BY 4.0 / Unsplash", 0.06, False, hold_out=40),
    Set("unlabelled-shop", "OSL / AFL 3.0", 0.07, False, hold_out=40),
    Set("object-cutouts", "none", 0.08, True),
    Set("animals", "MIT / CC BY 4.0", 0.12, True, check=True),
    Set("people", "Apache-2.0", 0.12, True),
    Set("people-varied", "none", 0.12, True),
    Set("unlabelled-grocery", "MIT", 0.04, False),
    Set("unlabelled-clothing", "CC0", 0.05, False),
    Set("unlabelled-people", "Apache-2.0", 0.04, False),
    Set("cats", "public domain / MIT", 0.03, True),
]
BACKGROUNDS = "clean-photos"  # crops of these without a subject become new grounds
LICENSED = "grounds.licensed"  # beside packed grounds that are of sets with a stated licence alone
EXTRA_WEIGHT = 0.2  # of each folder given with --extra


def chosen(licensed_only=False, extra=()):
    """The sets to use: all, or those with a stated licence, and extra folders of pairs."""
    sets = [s for s in SETS if not (licensed_only and s.licence == "none")]
    for e in extra:
        if Path(e).name in {s.name for s in SETS}:
            raise SystemExit(f"--extra {e}: a set of that name is known, and packed under it")
    return sets + [Set(str(Path(e)), "stated by whoever adds it", EXTRA_WEIGHT, True) for e in extra]


def folder(root, a_set):
    """An extra folder is a path of its own, the others lie under the data root."""
    own = Path(a_set.name)
    return own if own.is_absolute() or own.is_dir() else Path(root) / a_set.name


def pictures(where, labelled):
    """Pictures in a folder, sorted. A PNG beside a picture of the same name is its mask."""
    files = sorted(p for p in Path(where).iterdir() if p.suffix.lower() in PICTURES)
    if not labelled:
        return files
    return [p for p in files if p.suffix.lower() != ".png" and p.with_suffix(".png").exists()]
