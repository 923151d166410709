#!/usr/bin/env python3
"""Prints the throughput of 1, 2 and 3 instances behind HAProxy as a table.

Each instance has one worker, so that on a machine of N cores up to N of them have a core of their
own. Clients run beside them, in a closed loop, and take a share of the same cores. Rounds go forth and
back (1 2 3 3 2 1), so that what else the machine does meets all of them; each cell is a median. Needs
`make build` and HAProxy (`make test-deps`); its configuration is the shipped one but for addresses.
"""

import argparse
import contextlib
import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")))
PATH = "/v1/remove-background?format=png"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("picture", type=Path, help="a JPEG file")
    options.add_argument("--program", type=Path, default=TARGET / "release" / "safelight")
    options.add_argument("--instances", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--clients", type=int, default=6)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--seconds", type=float, default=10)
    options = options.parse_args()
    tools = f"{TARGET / 'test-tools' / 'usr' / 'bin'}:{os.environ['PATH']}"
    haproxy = shutil.which("haproxy", path=tools)
    if not haproxy:
        sys.exit("scale_out: there is no HAProxy (make test-deps)")
    picture = options.picture.read_bytes()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {options.clients} clients, {len(picture)} bytes a picture\n")
    print("| instances | pictures/s | median ms | CPU-s a picture | cores used | 503 | other |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rows = {count: [] for count in options.instances}
    for number in range(options.rounds):
        for count in options.instances[:: 1 if number % 2 == 0 else -1]:
            rows[count].append(measure(count, picture, haproxy, options))
    for count, measured in rows.items():
        *cells, busy, other = zip(*measured)
        cells = [f"{statistics.median(cell):.{digits}f}" for cell, digits in zip(cells, (2, 0, 3, 2))]
        print(f"| {count} | {' | '.join(cells)} | {sum(busy)} | {sum(other)} |")


def measure(count, picture, haproxy, options):
    """Pictures/s, median ms, CPU-s a picture, cores that the instances got, 503s, anything else."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-out-")))
        instances = [stack.enter_context(instance(options.program)) for _ in range(count)]
        address = stack.enter_context(proxy(haproxy, [at for _, at in instances], folder))
        wait_ready(address)
        load(address, picture, options.clients, 1)
        before = sum(cpu_seconds(process) for process, _ in instances)
        start = time.monotonic()
        times, busy, other = load(address, picture, options.clients, options.seconds)
        took = time.monotonic() - start
        cpu = sum(cpu_seconds(process) for process, _ in instances) - before
    done = len(times)
    return done / took, 1000 * statistics.median(times), cpu / done, cpu / took, busy, other


@contextlib.contextmanager
def ended(process):
    """Ends the process that was started here, and no other."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def instance(program):
    command = [str(program), "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0",
               "--workers=1", "--log-format=json"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with ended(process):
        for line in process.stderr:
            found = re.search(r"listening on http://([0-9.:]+)", line)
            if found:
                break
        else:
            sys.exit("scale_out: an instance did not start")
        # Somebody must read what it says, or it would wait for room in the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield process, found.group(1)


@contextlib.contextmanager
def proxy(haproxy, addresses, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shipped = ROOT / "deploy" / "proxy"
    servers = "\n    ".join(f"server s{n} {at}" for n, at in enumerate(addresses))
    text = (shipped / "haproxy.cfg").read_text()
    text = re.sub(r"^( *)bind :8080$", rf"\1bind 127.0.0.1:{port}", text, flags=re.MULTILINE)
    text = re.sub(r"server-template .*", servers, text)
    text = text.replace("/usr/local/etc/haproxy/unavailable", f"{shipped}/unavailable")
    (folder / "haproxy.cfg").write_text(text)
    process = subprocess.Popen([haproxy, "-db", "-f", str(folder / "haproxy.cfg")],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with ended(process):
        yield "127.0.0.1", port


def wait_ready(address):
    for _ in range(600):
        with contextlib.suppress(OSError):
            if ask(address, "GET", "/readyz", None) == 200:
                return
        time.sleep(0.05)
    sys.exit("scale_out: nothing became ready in 30 s")


def ask(address, method, path, body):
    connection = http.client.HTTPConnection(*address, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": "image/jpeg"} if body else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def load(address, picture, clients, seconds):
    """What clients in a closed loop saw: seconds of each good answer, 503s, anything else."""
    times, lock, counts = [], threading.Lock(), {"busy": 0, "other": 0}
    end = time.monotonic() + seconds

    def client():
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                status = ask(address, "POST", PATH, picture)
            except (OSError, http.client.HTTPException):
                status = 0
            with lock:
                if status == 200:
                    times.append(time.monotonic() - start)
                else:
                    counts["busy" if status == 503 else "other"] += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not times:
        sys.exit("scale_out: no picture came back")
    return times, counts["busy"], counts["other"]


def cpu_seconds(process):
    """User and system time of a process (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
