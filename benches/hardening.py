#!/usr/bin/env python3
"""What it costs to leave nothing behind: benches/hardening.py PROGRAM PICTURE... [--rounds N]

PROGRAM is a release build with the feature `test-hooks`:

    cargo build --release --locked --features test-hooks

It is started twice: as it is, and with the switch of the negative control, under which freed memory,
the stack and closed inputs are not overwritten and ONNX Runtime keeps its arena. Both get the same
pictures in slices in the order A B B A, one request at a time; what counts is processor time, since
that is little disturbed by what else the machine does.
"""

import pathlib
import statistics

import served


def cost(server, picture, requests):
    """Milliseconds of processor time of a request."""
    before = server.cpu()
    for _ in range(requests):
        server.send(picture)
    return 1000 * (server.cpu() - before) / requests


def main():
    parser = served.parser(__doc__)
    parser.add_argument("pictures", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=12, help="of a slice")
    given = parser.parse_args()
    rows = [["picture", "as it is, CPU ms", "leaving all, CPU ms", "cost"]]
    with (
        served.Server(given.program, "--workers=1") as careful,
        served.Server(given.program, "--workers=1", SAFELIGHT_TEST_UNWIPED="1") as careless,
    ):
        for name in given.pictures:
            picture, times = name.read_bytes(), {careful: [], careless: []}
            for server in times:
                cost(server, picture, 2)
            for server in [careful, careless, careless, careful] * given.rounds:
                times[server].append(cost(server, picture, given.requests))
            a, b = (statistics.median(of) for of in times.values())
            rows.append([name.name, f"{a:.1f}", f"{b:.1f}", f"{100 * (a / b - 1):+.1f} %"])
    served.publish("hardening", rows, given.write)


if __name__ == "__main__":
    main()
