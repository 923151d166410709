// A headless Chromium of our own, driven over the DevTools protocol: what tests of pages share.
//
// Needs Node 20 and nothing from a package registry: the protocol is JSON over two pipes.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The longest that the browser may take for one answer. */
export const CALL_MS = 20_000;

const FLAGS = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--window-size=1280,900",
  "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
  "--disable-default-apps", "--disable-sync", "--disable-breakpad", "--disable-dev-shm-usage", "--no-pings",
  "--metrics-recording-only", "--password-store=basic", "--use-mock-keychain", "--lang=en-US",
];

/** One browser of our own: its process group, its profile folder, its protocol. */
export class Browser {
  #child;
  #profile;
  #pending = new Map();
  #listeners = [];
  #next = 1;
  #gone;

  static async start(program) {
    const browser = new Browser();
    browser.#profile = await mkdtemp(path.join(tmpdir(), "safelight-page-"));
    // A group of its own, so that ending it ends its helpers and nobody else's.
    const child = spawn(program, [...FLAGS, `--user-data-dir=${browser.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      detached: true,
    });
    browser.#child = child;
    browser.#gone = new Promise((resolve) => {
      child.once("error", (error) => resolve(`browser did not start: ${error.code ?? "unknown"}`));
      child.once("exit", (code, signal) => resolve(`browser ended (${signal ?? code})`));
    });
    browser.#gone.then((why) => browser.#fail(why));
    for (const pipe of [child.stdio[3], child.stdio[4]]) pipe.on("error", () => {});
    browser.#read(child.stdio[4]);
    return browser;
  }

  on(method, listener) {
    this.#listeners.push([method, listener]);
  }

  call(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${method}: no answer in ${CALL_MS} ms`));
      }, CALL_MS);
      this.#pending.set(id, { resolve, reject, timer, method });
      this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** Ends the browser, politely first, and removes its profile. */
  async close() {
    this.call("Browser.close").catch(() => {});
    await Promise.race([this.#gone, sleep(4_000, undefined, { ref: false })]);
    this.kill();
    await Promise.race([this.#gone, sleep(4_000, undefined, { ref: false })]);
    this.#fail("closed");
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }).catch(() => {});
  }

  kill() {
    if (!this.#child.pid) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  #read(pipe) {
    let rest = [];
    pipe.on("data", (chunk) => {
      let end;
      while ((end = chunk.indexOf(0)) >= 0) {
        const message = Buffer.concat([...rest, chunk.subarray(0, end)]);
        rest = [];
        chunk = chunk.subarray(end + 1);
        this.#dispatch(JSON.parse(message.toString("utf8")));
      }
      if (chunk.length) rest.push(chunk);
    });
  }

  #dispatch(message) {
    const waiting = this.#pending.get(message.id);
    if (waiting) {
      this.#pending.delete(message.id);
      clearTimeout(waiting.timer);
      if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
      else waiting.resolve(message.result);
    }
    for (const [method, listener] of this.#listeners) {
      if (message.method === method) listener(message.params);
    }
  }

  #fail(why) {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new Error(why));
    }
    this.#pending.clear();
  }
}

/** A page in that browser, with a watch on what it asks for and complains about. */
export async function openPage(browser, url, seen) {
  const { targetId } = await browser.call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await browser.call("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => browser.call(method, params, sessionId);

  browser.on("Network.requestWillBeSent", ({ request }) => seen.requests.add(originOf(request.url)));
  browser.on("Runtime.exceptionThrown", ({ exceptionDetails: details }) => {
    seen.errors.push(`exception: ${details.exception?.description ?? details.text}`);
  });
  browser.on("Runtime.consoleAPICalled", ({ type, args }) => {
    if (type === "error" || type === "assert") seen.errors.push(`console: ${args.map((arg) => arg.value ?? arg.description).join(" ")}`);
  });
  browser.on("Log.entryAdded", ({ entry }) => {
    if (entry.level === "error" || entry.source === "security") seen.errors.push(`${entry.source}: ${entry.text}`);
  });
  browser.on("Audits.issueAdded", ({ issue }) => {
    if (issue.code === "ContentSecurityPolicyIssue") seen.errors.push(`content security policy: ${JSON.stringify(issue.details)}`);
  });
  for (const domain of ["Network", "Runtime", "Log", "Audits", "Page", "DOM"]) await page(`${domain}.enable`);

  const { errorText } = await page("Page.navigate", { url });
  if (errorText) throw new Error(`page did not open: ${errorText}`);
  return page;
}

function originOf(url) {
  if (url.startsWith("blob:")) return "blob:";
  const { origin, protocol } = new URL(url);
  return origin === "null" ? protocol : origin;
}

/** The value of an expression in the page; a promise is waited for. */
export async function evaluate(page, expression) {
  const { result, exceptionDetails } = await page("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(`in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return result.value;
}

export async function waitFor(page, expression, limit, what) {
  const end = Date.now() + limit;
  while (Date.now() < end) {
    const value = await evaluate(page, expression);
    if (value) return value;
    await sleep(100);
  }
  throw new Error(`${what}: not within ${limit} ms`);
}
