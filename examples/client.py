#!/usr/bin/env python3
"""Removes the background of a picture: client.py PICTURE RESULT.png [name=value...]"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("SAFELIGHT_URL", "http://127.0.0.1:8080")
TYPES = {".png": "image/png", ".webp": "image/webp"}


def remove_background(picture: bytes, mime: str, **options: str) -> bytes:
    """The cutout. Raises RuntimeError with the service's own sentence where it refuses."""
    query = urllib.parse.urlencode(options)
    # A picture may be the body itself; options are then in the query.
    request = urllib.request.Request(
        f"{URL}/v1/remove-background?{query}", data=picture, headers={"Content-Type": mime}
    )
    for _ in range(5):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code in (429, 503, 507):
                # Full or too fast: it says when it is worth coming again.
                time.sleep(int(error.headers["Retry-After"]))
                continue
            raise RuntimeError(f"{problem['code']}: {problem['detail']}") from None
    raise RuntimeError("the service is busy")


def main() -> None:
    source, result, *pairs = sys.argv[1:]
    mime = TYPES.get(os.path.splitext(source)[1].lower(), "image/jpeg")
    with open(source, "rb") as file:
        picture = file.read()
    try:
        cutout = remove_background(picture, mime, **dict(pair.split("=", 1) for pair in pairs))
    except RuntimeError as error:
        sys.exit(str(error))
    with open(result, "wb") as file:
        file.write(cutout)


if __name__ == "__main__":
    main()
