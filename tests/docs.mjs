// Opens the API's documentation as a visitor would: node tests/docs.mjs CHROMIUM PAGE_URL OUTPUT_FOLDER
//
// Prints one JSON line {text, overflow, errors} and leaves docs.png and phone.png in the output folder.
// Exit 2: usage.

import { writeFile } from "node:fs/promises";
import path from "node:path";

import { Browser, CALL_MS, evaluate, openPage, waitFor } from "./browser.mjs";

async function main([program, url, folder]) {
  if (!folder) {
    console.error("usage: node tests/docs.mjs CHROMIUM PAGE_URL OUTPUT_FOLDER");
    return 2;
  }
  const seen = { requests: new Set(), errors: [] };
  const browser = await Browser.start(program);
  try {
    const page = await openPage(browser, url, seen);
    await waitFor(page, `!!document.getElementById("errors")`, CALL_MS, "the routes");
    const shoot = async (name) => {
      const { data } = await page("Page.captureScreenshot", { format: "png" });
      await writeFile(path.join(folder, name), Buffer.from(data, "base64"));
    };
    await shoot("docs.png");
    await page("Emulation.setDeviceMetricsOverride", { width: 360, height: 740, deviceScaleFactor: 1, mobile: true });
    await shoot("phone.png");
    const overflow = await evaluate(page, `document.documentElement.scrollWidth - window.innerWidth`);
    const text = await evaluate(page, `document.getElementById("routes").innerText`);
    console.log(JSON.stringify({ text, overflow: Math.max(0, overflow), errors: seen.errors }));
    return 0;
  } finally {
    await browser.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
