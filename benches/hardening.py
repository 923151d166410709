#!/usr/bin/env python3
"""What it costs to leave nothing behind: benches/hardening.py PROGRAM PICTURE... [--rounds N]

PROGRAM is a release build with the feature `test-hooks`:

    cargo build --release --locked --features test-hooks

It is started twice: as it is, and with the switch of the negative control, under which freed memory,
the stack and closed inputs are not overwritten and ONNX Runtime keeps its arena. Both get the same
pictures in slices in the order A B B A, one request at a time; what counts is processor time, as
each server's own metrics tell it, since that is little disturbed by what else the machine does.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import urllib.request

ROUTE = "/v1/remove-background?format=png"


class Server:
    def __init__(self, program, spool, **variables):
        command = [program, "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]
        command += ["--log-format=json", "--workers=1", f"--spool={spool}"]
        self.process = subprocess.Popen(
            command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            record = json.loads(line)
            found = re.search(r"on (http://\S+) \(metrics on (http://[^/]+)", record.get("message", ""))
            if found:
                self.url, self.metrics = found.groups()
            if record["event"] == "ready":
                # A log that nobody reads would stop the server once the pipe is full.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise SystemExit("the server did not start")

    def send(self, picture):
        request = urllib.request.Request(
            self.url + ROUTE, data=picture, headers={"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def cpu_seconds(self):
        with urllib.request.urlopen(self.metrics + "/metrics", timeout=10) as answer:
            text = answer.read().decode()
        # The process collector counts whole seconds; the kernel's own figures are finer.
        assert "process_cpu_seconds_total" in text
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def slice(self, picture, requests):
        before = self.cpu_seconds()
        for _ in range(requests):
            self.send(picture)
        return 1000 * (self.cpu_seconds() - before) / requests


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=12, help="of a slice")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as spool:
        careful = Server(arguments.program, spool)
        careless = Server(arguments.program, spool, SAFELIGHT_TEST_UNWIPED="1")
        try:
            print("| picture | as it is, CPU ms | leaving all, CPU ms | cost |\n| --- | --- | --- | --- |")
            for name in arguments.pictures:
                with open(name, "rb") as file:
                    picture = file.read()
                for server in (careful, careless):
                    server.slice(picture, 2)
                with_care, without = [], []
                for _ in range(arguments.rounds):
                    for server in (careful, careless, careless, careful):
                        times = with_care if server is careful else without
                        times.append(server.slice(picture, arguments.requests))
                a, b = statistics.median(with_care), statistics.median(without)
                print(f"| {os.path.basename(name)} | {a:.1f} | {b:.1f} | {100 * (a / b - 1):+.1f} % |")
        finally:
            for server in (careful, careless):
                server.process.terminate()
                server.process.wait()


if __name__ == "__main__":
    main()
