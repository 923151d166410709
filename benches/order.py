#!/usr/bin/env python3
"""Whose turn it is, under twice the load that can be served: benches/order.py PROGRAM PICTURE

PICTURE is cut out at 1 megapixel, and restored at 12. First one of each is timed alone. Then requests
come at fixed times whatever becomes of the ones before them (an open loop), half of the work
small, half large, twice as much of it as the threads can do, once with `--queue-order arrival` and once
with `cheapest`, in the order A B B A. For each class: how many were answered and how many were sent
away with 503, and the time to the answer.
"""

import statistics
import threading
import time

import served

RESTORE = "/v1/restore?steps=denoise"
HEAD = ["order", "class", "sent", "answered", "503", "other", "median s", "p95 s"]


def alone(server, picture, path):
    server.send(picture, path)
    return min(server.send(picture, path)[1] for _ in range(3))


def overload(server, kinds, seconds):
    """Sends each kind at its rate for so many seconds; kinds are path, picture, requests/s."""
    results, threads = [[] for _ in kinds], []
    times = []
    for kind, (_, _, rate) in enumerate(kinds):
        times += [(i / rate, kind) for i in range(int(seconds * rate))]

    def send(kind):
        path, picture, _ = kinds[kind]
        results[kind].append(server.send(picture, path))

    begin = time.monotonic()
    for at, kind in sorted(times):
        time.sleep(max(0, begin + at - time.monotonic()))
        threads.append(threading.Thread(target=send, args=[kind]))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return results


def row(order, name, answers):
    good = sorted(seconds for status, seconds, _ in answers if status == 200)
    busy = sum(status == 503 for status, *_ in answers)
    shown = ["-", "-"]
    if good:
        p95 = good[int(0.95 * (len(good) - 1))]
        shown = [f"{statistics.median(good):.2f}", f"{p95:.2f}"]
    other = len(answers) - len(good) - busy
    return [order, name, len(answers), len(good), busy, other, *shown]


def main():
    parser = served.parser(__doc__)
    parser.add_argument("picture")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    small, large = (served.resized(given.picture, megapixels) for megapixels in (1, 12))
    common = [f"--workers={given.workers}", "--upload-permits=512", "--memory-budget=4GiB"]
    found, rates = {"arrival": [[], []], "cheapest": [[], []]}, None
    for order in ("arrival", "cheapest", "cheapest", "arrival"):
        with served.Server(given.program, *common, f"--queue-order={order}") as server:
            if rates is None:
                cut, restore = alone(server, small, served.CUT_OUT), alone(server, large, RESTORE)
                # Each class alone is as much as the threads can do.
                rates = given.workers / cut, given.workers / restore
                print(f"alone: cutout {cut:.3f} s, restoration {restore:.3f} s")
            kinds = [(served.CUT_OUT, small, rates[0]), (RESTORE, large, rates[1])]
            for so_far, new in zip(found[order], overload(server, kinds, given.seconds)):
                so_far += new
    rows = [HEAD]
    for order, classes in found.items():
        for name, answers in zip(("cutout", "restoration"), classes):
            rows.append(row(order, name, answers))
    served.publish("queue", rows, given.write)


if __name__ == "__main__":
    main()
