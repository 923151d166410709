#!/usr/bin/env python3
"""From the start of the process to the first answer: benches/start.py PROGRAM PICTURE

The program is started ten times and sent a picture of 1 megapixel as soon as it says that it is ready; the
table has medians: seconds to ready and to the first answer, processor time to ready, memory then and a
second after the answer.
"""

import pathlib
import statistics
import time

import served

STARTS = 10


def start(program, picture):
    begin = time.monotonic()
    with served.Server(program) as server:
        ready, cpu, idle = time.monotonic() - begin, server.cpu(), server.memory("VmRSS")
        status, *_ = server.send(picture)
        first = time.monotonic() - begin
        assert status == 200, status
        time.sleep(1)
        return ready, first, cpu, idle, server.memory("VmRSS")


def main():
    parser = served.parser(__doc__)
    parser.add_argument("picture", type=pathlib.Path)
    given = parser.parse_args()
    picture = served.resized(given.picture, 1)
    columns = zip(*(start(given.program, picture) for _ in range(STARTS)))
    ready, first, cpu, idle, after = (statistics.median(column) for column in columns)
    head = ["ready, s", "first answer, s", "CPU to ready, s", "memory when ready, MiB", "after one cutout, MiB"]
    row = [f"{ready:.2f}", f"{first:.2f}", f"{cpu:.2f}", f"{idle:.0f}", f"{after:.0f}"]
    served.publish("start", [head, row], given.write)


if __name__ == "__main__":
    main()
