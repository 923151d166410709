"""What the benchmarks share that measure the built program over HTTP: the server, and their tables."""

import argparse
import contextlib
import http.client
import io
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.parse

from PIL import Image

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / "docs" / "performance.md"
CUT_OUT = "/v1/remove-background?format=png"


def parser(description):
    """A parser with what all benchmarks take."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    made.add_argument("program", help="a release build")
    return made


def publish(name, rows, write):
    """Prints the rows as a Markdown table, the first being its head. With `write` it is put into the
    document, between the two comments with its name."""
    rows = [[str(cell) for cell in row] for row in rows]
    rows.insert(1, ["---"] * len(rows[0]))
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    print(table)
    if write:
        text = DOCUMENT.read_text()
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = text.split(begin)
        DOCUMENT.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")


def resized(file, megapixels):
    """A photograph as a JPEG of so many megapixels, its shape kept."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    scale = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = round(picture.width * scale), round(picture.height * scale)
    out = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


class Server:
    """The program serving on a port of its own, until the end of a `with` block."""

    def __init__(self, program, *arguments, **variables):
        command = [program, "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]
        command += ["--log-format=json", *arguments]
        self.process = subprocess.Popen(
            command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            record = json.loads(line)
            if found := re.search(r"listening on (http://\S+)", record.get("message", "")):
                self.address = urllib.parse.urlparse(found[1]).netloc
                self.metrics = re.search(r"metrics on http://([^/]+)", record["message"])[1]
            if record["event"] == "ready":
                # A log that nobody reads would stop the server once the pipe is full.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise SystemExit("the server did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def client(self):
        """A connection; more than one thread must not use it."""
        return contextlib.closing(http.client.HTTPConnection(self.address, timeout=300))

    def send(self, picture, path=CUT_OUT, connection=None):
        """Status, seconds, and how many seconds to wait where the server is busy."""
        if connection is None:
            with self.client() as connection:
                return self.send(picture, path, connection)
        start = time.monotonic()
        connection.request("POST", path, picture, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        answer.read()
        seconds = time.monotonic() - start
        return answer.status, seconds, int(answer.getheader("Retry-After") or 0)

    def cpu(self):
        """Seconds of processor time so far, all threads."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name):
        """A line of the process's status, `VmRSS` or `VmHWM`, in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{name}:\s+(\d+)", status.read())[1]) >> 10
