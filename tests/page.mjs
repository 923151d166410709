// Drives the demo page in a headless Chromium over the DevTools protocol and says what it saw.
//
//   node tests/page.mjs CHROMIUM PAGE_URL PICTURE OUTPUT_FOLDER
//
// Prints one JSON line {state, width, height, compare, requests, errors, alpha} and leaves page.png in
// the output folder. Exit 0: the page did its job. 1: it did not, and `errors` says why. 2: usage.

import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { Browser, CALL_MS, evaluate, openPage, waitFor } from "./browser.mjs";

const JOB_MS = 60_000;
const TOTAL_MS = 120_000;

async function press(page, key, times) {
  const windowsVirtualKeyCode = { ArrowLeft: 37, ArrowRight: 39 }[key];
  for (let count = 0; count < times; count += 1) {
    await page("Input.dispatchKeyEvent", { type: "rawKeyDown", key, code: key, windowsVirtualKeyCode });
    await page("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode });
  }
}

const RESULT = `(() => {
  const image = document.getElementById("result");
  const scale = Math.min(1, 512 / Math.max(image.naturalWidth, image.naturalHeight, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let alpha = false;
  for (let at = 3; at < data.length && !alpha; at += 4) alpha = data[at] < 250;
  return { width: image.naturalWidth, height: image.naturalHeight, alpha };
})()`;

/** Sends the picture and looks at the answer as a visitor would. */
async function visit(browser, url, picture, folder, seen) {
  const page = await openPage(browser, url, seen);
  await waitFor(page, `document.readyState === "complete" && !!document.querySelector("[role=tab]")`, CALL_MS, "the page is ready");

  const { root } = await page("DOM.getDocument");
  const { nodeId } = await page("DOM.querySelector", { nodeId: root.nodeId, selector: "#file" });
  await page("DOM.setFileInputFiles", { nodeId, files: [path.resolve(picture)] });

  const state = `document.documentElement.dataset.state`;
  seen.state = await waitFor(page, `["done", "error"].includes(${state}) && ${state}`, JOB_MS, "the result");
  if (seen.state === "error") seen.errors.push(`shown: ${await evaluate(page, `document.getElementById("error").innerText`)}`);
  else await look(page, seen);

  const { data } = await page("Page.captureScreenshot", { format: "png" });
  await writeFile(path.join(folder, "page.png"), Buffer.from(data, "base64"));
}

async function look(page, seen) {
  Object.assign(seen, await evaluate(page, RESULT));
  if (!seen.width || !seen.height) seen.errors.push("the result has no size");
  if (!await evaluate(page, `document.getElementById("download").href.startsWith("blob:")`)) seen.errors.push("nothing to download");

  const value = `Number(document.getElementById("compare").value)`;
  const edge = `getComputedStyle(document.querySelector(".half-before")).clipPath`;
  const before = await evaluate(page, `document.getElementById("compare").focus(), [${value}, ${edge}]`);
  await press(page, "ArrowRight", 5);
  const after = await evaluate(page, `[${value}, ${edge}]`);
  seen.compare = [before[0], after[0]];
  if (after[0] <= before[0] || after[1] === before[1]) seen.errors.push("the slider does not follow the keyboard");
}

async function main([program, url, picture, folder]) {
  if (!folder) {
    console.error("usage: node tests/page.mjs CHROMIUM PAGE_URL PICTURE OUTPUT_FOLDER");
    return 2;
  }
  const seen = { state: "", width: 0, height: 0, compare: [], requests: new Set(), errors: [], alpha: false };
  let browser;
  const stop = () => {
    browser?.kill();
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  setTimeout(() => {
    console.error(`page.mjs: not finished in ${TOTAL_MS} ms`);
    stop();
  }, TOTAL_MS).unref();

  try {
    await mkdir(folder, { recursive: true });
    browser = await Browser.start(program);
    await visit(browser, url, picture, folder, seen);
  } catch (error) {
    seen.errors.push(error.message);
  } finally {
    await browser?.close();
  }
  for (const origin of seen.requests) {
    if (origin !== new URL(url).origin && origin !== "blob:") seen.errors.push(`request to another origin: ${origin}`);
  }
  console.log(JSON.stringify({ ...seen, requests: [...seen.requests] }));
  return seen.state === "done" && seen.errors.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
