// Calls the service from pages of other origins, as their scripts would.
//
//   node tests/cors.mjs CHROMIUM SERVICE PAGE_URL...
//
// Prints one JSON line: for each page what its script could learn of four calls. Exit 2: usage.

import { Browser, CALL_MS, evaluate, openPage, waitFor } from "./browser.mjs";

/** Runs in the page; a call that the browser forbids throws there. */
function calls(service) {
  const picture = new Promise((resolve) => {
    const canvas = new OffscreenCanvas(64, 48);
    canvas.getContext("2d").fillRect(8, 8, 24, 24);
    resolve(canvas.convertToBlob({ type: "image/png" }));
  });
  const asked = async (path, options) => {
    try {
      const answer = await fetch(service + path, options);
      const names = [...answer.headers.keys()].sort();
      const type = answer.headers.get("content-type");
      const bytes = (await answer.arrayBuffer()).byteLength;
      return { status: answer.status, type, bytes, names };
    } catch (error) {
      return { error: error.name };
    }
  };
  return picture.then(async (file) => {
    const form = new FormData();
    form.append("file", file);
    const headers = { "Content-Type": "image/png", "Deletion-Receipt-Nonce": "abc" };
    return {
      // A form needs no leave to be sent, only to be read.
      form: await asked("/v1/remove-background", { method: "POST", body: form }),
      // A type and a header of its own need a preflight.
      raw: await asked("/v1/remove-background", { method: "POST", body: file, headers }),
      refused: await asked("/v1/remove-background?nonsense=1", { method: "POST", body: file, headers }),
      models: await asked("/v1/models"),
    };
  });
}

async function main([program, service, ...pages]) {
  if (!pages.length) {
    console.error("usage: node tests/cors.mjs CHROMIUM SERVICE PAGE_URL...");
    return 2;
  }
  const browser = await Browser.start(program);
  try {
    const found = [];
    for (const url of pages) {
      const page = await openPage(browser, url, { requests: new Set(), errors: [] });
      await waitFor(page, `document.readyState === "complete" && document.title === "elsewhere"`, CALL_MS, "the page");
      found.push(await evaluate(page, `(${calls})(${JSON.stringify(service)})`));
    }
    console.log(JSON.stringify(found));
    return 0;
  } finally {
    await browser.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
