#!/usr/bin/env python3
"""Whose turn it is, under twice the load that can be served: benches/queue.py PROGRAM SMALL LARGE

PROGRAM is a release build; SMALL is a picture that is cut out, LARGE one that is restored. First one
of each is timed alone. Then requests come at fixed times whatever becomes of the ones before them
(an open loop), half of the work small, half large, twice as much of it as the threads can do, once
with `--queue-order arrival` and once with `cheapest`, in the order A B B A. Printed for each class:
how many were answered and how many were sent away with 503, and the time to the answer.
"""

import argparse
import http.client
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

CUT = "/v1/remove-background?format=png"
RESTORE = "/v1/restore?steps=denoise"


class Server:
    def __init__(self, program, spool, order, workers):
        command = [program, "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]
        command += ["--log-format=json", f"--workers={workers}", f"--spool={spool}"]
        command += [f"--queue-order={order}", "--upload-permits=512", "--memory-budget=4GiB"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"on (http://\S+) \(metrics", line)
            if found:
                self.address = urllib.parse.urlparse(found[1]).netloc
            if '"ready"' in line:
                # A log that nobody reads would stop the server once the pipe is full.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise SystemExit("the server did not start")

    def send(self, path, picture):
        """Status and seconds."""
        start = time.monotonic()
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("POST", path, picture, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, time.monotonic() - start

    def stop(self):
        self.process.terminate()
        self.process.wait()


def alone(server, path, picture):
    server.send(path, picture)
    return min(server.send(path, picture)[1] for _ in range(3))


def overload(server, kinds, seconds):
    """Sends each kind at its rate for so many seconds; kinds are path, picture, requests/s."""
    results, threads, begin = [[] for _ in kinds], [], time.monotonic()
    times = []
    for kind, (_, _, rate) in enumerate(kinds):
        times += [(i / rate, kind) for i in range(int(seconds * rate))]
    for at, kind in sorted(times):
        time.sleep(max(0, begin + at - time.monotonic()))
        path, picture, _ = kinds[kind]
        work = lambda kind=kind, path=path, picture=picture: results[kind].append(server.send(path, picture))
        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("small")
    parser.add_argument("large")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with open(arguments.small, "rb") as file:
        small = file.read()
    with open(arguments.large, "rb") as file:
        large = file.read()
    found = {"arrival": [[], []], "cheapest": [[], []]}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as spool:
        rates = None
        for order in ("arrival", "cheapest", "cheapest", "arrival"):
            server = Server(arguments.program, spool, order, arguments.workers)
            try:
                if rates is None:
                    cut, restore = alone(server, CUT, small), alone(server, RESTORE, large)
                    # Each class alone is as much as the threads can do.
                    rates = arguments.workers / cut, arguments.workers / restore
                    print(f"alone: cutout {cut:.3f} s, restoration {restore:.3f} s")
                kinds = [(CUT, small, rates[0]), (RESTORE, large, rates[1])]
                for so_far, new in zip(found[order], overload(server, kinds, arguments.seconds)):
                    so_far += new
            finally:
                server.stop()
    print("| order | class | sent | answered | 503 | other | median s | p95 s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for order, classes in found.items():
        for name, all_of_it in zip(("cutout", "restoration"), classes):
            good = sorted(seconds for status, seconds in all_of_it if status == 200)
            busy = sum(status == 503 for status, _ in all_of_it)
            shown = ["-", "-"]
            if good:
                shown = [f"{statistics.median(good):.2f}", f"{good[int(0.95 * (len(good) - 1))]:.2f}"]
            other = len(all_of_it) - len(good) - busy
            print(f"| {order} | {name} | {len(all_of_it)} | {len(good)} | {busy} | {other} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
