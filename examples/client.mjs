// Removes the background of a picture: node client.mjs PICTURE RESULT.png [name=value...]

import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";

const URL_BASE = process.env.SAFELIGHT_URL ?? "http://127.0.0.1:8080";

/** The cutout as bytes, and how long the server took for each step. */
async function removeBackground(picture, options) {
  const form = new FormData();
  form.append("file", picture, "picture");
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  const answer = await fetch(`${URL_BASE}/v1/remove-background`, {
    method: "POST",
    body: form,
    signal: AbortSignal.timeout(60_000),
  });
  if (!answer.ok) {
    const { code, detail } = await answer.json();
    throw new Error(`${code}: ${detail}`);
  }
  const timing = answer.headers.get("server-timing");
  return { bytes: Buffer.from(await answer.arrayBuffer()), timing };
}

const [source, result, ...pairs] = process.argv.slice(2);
try {
  const options = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2)));
  const { bytes, timing } = await removeBackground(await openAsBlob(source), options);
  await writeFile(result, bytes);
  console.log(timing);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
