// Uses examples/page.html as a visitor would: node tests/examples.mjs CHROMIUM PAGE_URL PICTURE
//
// Prints one JSON line {message, width, height, alpha}. Exit 2: usage.

import path from "node:path";

import { Browser, CALL_MS, evaluate, openPage, waitFor } from "./browser.mjs";

async function main([program, url, picture]) {
  if (!picture) {
    console.error("usage: node tests/examples.mjs CHROMIUM PAGE_URL PICTURE");
    return 2;
  }
  const browser = await Browser.start(program);
  try {
    const page = await openPage(browser, url, { requests: new Set(), errors: [] });
    await waitFor(page, `document.readyState === "complete" && !!document.querySelector("form")`, CALL_MS, "the page");
    const { root } = await page("DOM.getDocument");
    const { nodeId } = await page("DOM.querySelector", { nodeId: root.nodeId, selector: "[type=file]" });
    await page("DOM.setFileInputFiles", { nodeId, files: [path.resolve(picture)] });
    await evaluate(page, `document.querySelector("button").click()`);
    const message = `document.getElementById("message").textContent`;
    await waitFor(page, `${message} && ${message} !== "Working…"`, CALL_MS, "an answer");
    await waitFor(page, `document.getElementById("result").complete`, CALL_MS, "the picture is shown");
    const seen = await evaluate(page, `({
      message: ${message},
      width: document.getElementById("result").naturalWidth,
      height: document.getElementById("result").naturalHeight,
    })`);
    console.log(JSON.stringify(seen));
    return 0;
  } finally {
    await browser.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
