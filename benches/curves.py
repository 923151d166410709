#!/usr/bin/env python3
"""How cost grows with the picture and with the clients: benches/curves.py PROGRAM PICTURE

PICTURE, a photograph, is made into JPEG files of 0.25 to 40 megapixels. For every cell a server is
started and warmed up, and so many clients send the file in a closed loop for some seconds. Good answers
and megapixels a second, the median and 95th percentile of the time to an answer, the processor time of
one, the peak of resident memory, and how many were told 503 because the memory for jobs
(`--memory-budget`, its default) was taken.
"""

import statistics
import threading
import time

import served

MEGAPIXELS = [0.25, 1, 4, 12, 40]
CLIENTS = [1, 2, 4, 8, 16, 64]
HEAD = ["MP", "clients", "a second", "MP a second", "median s", "p95 s", "CPU s", "peak MiB", "503"]


def loops(server, picture, clients, seconds):
    """The times of the good answers, how many were told 503, and how long it took."""
    times, others, end = [], [], time.monotonic() + seconds

    def loop():
        with server.client() as connection:
            while time.monotonic() < end:
                status, took, after = server.send(picture, connection=connection)
                if status == 200:
                    times.append(took)
                else:
                    others.append(status)
                    time.sleep(min(after, 1))

    threads = [threading.Thread(target=loop) for _ in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if set(others) - {503}:
        raise SystemExit(f"unexpected answers: {set(others)}")
    return times, len(others), time.monotonic() - start


def cell(program, megapixels, picture, clients, seconds):
    with served.Server(program, "--max-megapixels=64") as server:
        server.send(picture)
        before = server.cpu()
        times, refused, took = loops(server, picture, clients, seconds)
        used, peak = server.cpu() - before, server.memory("VmHWM")
    rate = len(times) / took
    p95 = sorted(times)[int(0.95 * (len(times) - 1))]
    figures = [megapixels, clients, f"{rate:.1f}", f"{rate * megapixels:.1f}"]
    figures += [f"{statistics.median(times):.2f}", f"{p95:.2f}"]
    return [*figures, f"{used / len(times):.3f}", peak, refused]


def main():
    parser = served.parser(__doc__)
    parser.add_argument("picture")
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    rows = [HEAD]
    for megapixels in MEGAPIXELS:
        picture = served.resized(given.picture, megapixels)
        for clients in CLIENTS:
            rows.append(cell(given.program, megapixels, picture, clients, given.seconds))
    served.publish("curves", rows, given.write)


if __name__ == "__main__":
    main()
