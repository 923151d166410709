"""Uses a client that was generated from the OpenAPI document: openapi_client.py URL PICTURE

Prints one JSON line: type and width of a mask, and the code of a refusal.
"""

import json
import sys

from safelight_client import Client
from safelight_client.api.default import v1_remove_background
from safelight_client.models import V1RemoveBackgroundFilesBody, V1RemoveBackgroundOutput
from safelight_client.types import File

url, name = sys.argv[1:]
client = Client(base_url=url, timeout=30)


def picture():
    return File(payload=open(name, "rb"), file_name="picture.jpg", mime_type="image/jpeg")


mask = v1_remove_background.sync_detailed(
    client=client,
    body=V1RemoveBackgroundFilesBody(file=picture()),
    output=V1RemoveBackgroundOutput.MASK,
)
refused = v1_remove_background.sync(
    client=client, body=V1RemoveBackgroundFilesBody(file=picture()), feather=51.0
)
print(
    json.dumps(
        {
            "mask": [mask.headers["content-type"], mask.headers["x-image-width"]],
            "refused": refused.code,
        }
    )
)
