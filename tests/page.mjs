// Drives the demo page in a headless Chromium over the DevTools protocol and says what it saw.
//
//   node tests/page.mjs CHROMIUM PAGE_URL OUTPUT_FOLDER VISIT [ARGUMENT...]
//
// VISIT is a file in tests/page/ whose default export gets a visitor and the arguments, and returns
// what it saw. Prints one JSON line {requests, errors, ...seen} and leaves screenshots in the output
// folder. Exit 0: nothing went wrong. 1: something did, and `errors` says what. 2: usage.

import { mkdir } from "node:fs/promises";

import { Browser } from "./browser.mjs";
import { Visitor } from "./page/visitor.mjs";

const TOTAL_MS = 115_000;

async function main([program, url, folder, visit, ...words]) {
  if (!/^[a-z]+$/.test(visit ?? "")) {
    console.error("usage: node tests/page.mjs CHROMIUM PAGE_URL OUTPUT_FOLDER VISIT [ARGUMENT...]");
    return 2;
  }
  const { default: go } = await import(`./page/${visit}.mjs`);
  const seen = { requests: new Set(), errors: [] };
  let browser;
  const stop = () => {
    browser?.kill();
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  setTimeout(() => {
    console.error(`page.mjs: ${visit} has not finished in ${TOTAL_MS} ms`);
    stop();
  }, TOTAL_MS).unref();

  try {
    await mkdir(folder, { recursive: true });
    browser = await Browser.start(program);
    const visitor = await Visitor.arrive(browser, url, folder, seen);
    Object.assign(seen, await go(visitor, ...words));
  } catch (error) {
    seen.errors.push(error.message);
  } finally {
    await browser?.close();
  }
  for (const origin of seen.requests) {
    if (origin !== new URL(url).origin && origin !== "blob:") seen.errors.push(`request to another origin: ${origin}`);
  }
  console.log(JSON.stringify({ ...seen, requests: [...seen.requests] }));
  return seen.errors.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
