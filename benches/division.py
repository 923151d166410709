#!/usr/bin/env python3
"""Whether rows are divided among cores: benches/division.py PROGRAM PICTURE [--seconds N]

PROGRAM is a release build with the feature `test-hooks`, whose switch sets the policy:

    cargo build --release --locked --features test-hooks

Three of them serve at the same time and get cutouts in turns: one never divides the rows of a picture,
one always does, one where a core is idle, which is what the program does. For each size and number
of clients the medians over the turns: answers a second, the time to one, and its processor time.
"""

import contextlib
import statistics

import curves
import served

MEGAPIXELS = [1, 12]
CLIENTS = [1, 2, 4, 8]
POLICIES = {"never": "never", "always": "always", "when idle": None}


def turn(server, picture, clients, seconds):
    """Answers a second, median milliseconds, milliseconds of processor time."""
    before = server.cpu()
    times, refused, took = curves.loops(server, picture, clients, seconds)
    if refused:
        raise SystemExit("the server refused pictures")
    return (
        len(times) / took,
        1000 * statistics.median(times),
        1000 * (server.cpu() - before) / len(times),
    )


def main():
    parser = served.parser(__doc__)
    parser.add_argument("picture")
    parser.add_argument("--seconds", type=float, default=1.5, help="of a turn")
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    rows = [["MP", "clients", *(f"{p}: a second | ms | CPU ms" for p in POLICIES)]]
    with contextlib.ExitStack() as stack:
        servers = []
        for value in POLICIES.values():
            variables = {"SAFELIGHT_TEST_DIVIDES": value} if value else {}
            servers.append(stack.enter_context(served.Server(given.program, **variables)))
        for megapixels in MEGAPIXELS:
            picture = served.resized(given.picture, megapixels)
            for server in servers:
                server.send(picture)
            for clients in CLIENTS:
                turns = {server: [] for server in servers}
                for i in range(given.rounds):
                    # Each order as often as its reverse.
                    for server in servers if i % 2 == 0 else reversed(servers):
                        turns[server].append(turn(server, picture, clients, given.seconds))
                cells = []
                for measured in turns.values():
                    rate, ms, cpu = (statistics.median(of) for of in zip(*measured))
                    cells.append(f"{rate:.1f} | {ms:.0f} | {cpu:.0f}")
                rows.append([megapixels, clients, *cells])
    # A policy is three columns.
    rows = [" | ".join(map(str, row)).split(" | ") for row in rows]
    served.publish("division", rows, given.write)


if __name__ == "__main__":
    main()
