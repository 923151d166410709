#!/usr/bin/env node
// Makes the pictures of docs/operating.md: node scripts/monitoring_images.mjs [MINUTES] [OUTPUT_FOLDER]
//
// One instance with one worker and a short queue is given more than it can do, a real Prometheus with
// the shipped rules looks at it, and a headless Chromium looks at Prometheus. Debian and Ubuntu only,
// whose package of Prometheus has a page without a build of its own; needs `make test-deps` and a built
// program (release, else debug; SAFELIGHT_BIN names another). MINUTES: of load, 8 if none are named;
// SafelightQueueFull wants five minutes of refusals.

import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { Browser, CALL_MS, evaluate, openPage, waitFor } from "../tests/browser.mjs";

const ROOT = path.dirname(import.meta.dirname);
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target");
const UI = path.join(TARGET, "prometheus-ui");

/** The page of Debian's Prometheus and what its links lead to; only unpacked, nothing is installed. */
const PACKAGES = [
  "prometheus", "fonts-glyphicons-halflings", "libjs-bootstrap4", "libjs-d3", "libjs-eonasdan-bootstrap-datetimepicker",
  "libjs-jquery", "libjs-jquery-hotkeys", "libjs-moment", "libjs-moment-timezone", "libjs-mustache", "libjs-popper.js",
  "libjs-rickshaw",
];

/** Queries of deploy/grafana/safelight.json, over a window that fits minutes. */
const GRAPHS = [
  `sum by (outcome) (rate(safelight_requests_total[30s]))`,
  `histogram_quantile(0.95, sum by (le, operation) (rate(safelight_request_duration_seconds_bucket[30s])))`,
  `{__name__=~"safelight_(inputs_live|leases_live|queue_depth)"}`,
];

/** Ends what was started here, in the opposite order. */
const cleanUp = [];

async function main([minutes = "8", folder = path.join(ROOT, "docs", "images")]) {
  unpackUi();
  const scratch = await mkdtemp(path.join(tmpdir(), "safelight-monitoring-"));
  cleanUp.push(() => rm(scratch, { recursive: true, force: true }));
  const { service, metrics } = await startService();
  const prometheus = await startPrometheus(scratch, metrics);
  const counts = await load(service, Number(minutes) * 60_000);
  console.log(`answers: ${JSON.stringify(counts)}`);
  await mkdir(folder, { recursive: true });
  const browser = await Browser.start(tool("chromium", "chromium-browser", "google-chrome"));
  cleanUp.push(() => browser.close());
  const graphs = GRAPHS.map((expr, i) =>
    `g${i}.expr=${encodeURIComponent(expr)}&g${i}.tab=0&g${i}.stacked=0&g${i}.range_input=${Math.ceil(minutes) + 1}m`);
  await shoot(browser, `${prometheus}/classic/graph?${graphs.join("&")}`, path.join(folder, "prometheus-graphs.webp"),
    `[...document.querySelectorAll(".rickshaw_legend")].filter((legend) => legend.querySelector(".label")).length
      === ${GRAPHS.length}`, "");
  await shoot(browser, `${prometheus}/classic/alerts`, path.join(folder, "prometheus-alerts.webp"),
    `document.querySelectorAll(".alert_header").length > 5`,
    `document.querySelectorAll(".alert_header").forEach((row) => {
       if (/alert-(danger|warning)/.test(row.className)) row.click();
     })`);
}

function unpackUi() {
  if (existsSync(path.join(UI, "usr/share/prometheus/web/templates"))) return;
  execFileSync("mkdir", ["-p", path.join(UI, "deb")]);
  const quiet = { cwd: path.join(UI, "deb"), stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", ...PACKAGES], quiet);
  execFileSync("sh", ["-c", "for deb in *.deb; do dpkg-deb -x \"$deb\" ..; done"], quiet);
}

function tool(...names) {
  const folders = [path.join(TARGET, "test-tools/usr/bin"), ...process.env.PATH.split(":")];
  for (const name of names) {
    const found = folders.map((folder) => path.join(folder, name)).find(existsSync);
    if (found) return found;
  }
  throw new Error(`there is no ${names[0]} (make test-deps)`);
}

/** Starts a program and ends it with this script. */
function start(program, args, cwd = undefined) {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.once("error", (error) => console.error(`${program}: ${error.message}`));
  cleanUp.push(async () => {
    child.kill();
    await ended;
  });
  return createInterface({ input: child.stderr });
}

async function startService() {
  const built = ["release", "debug"].map((profile) => path.join(TARGET, profile, "safelight"));
  const program = process.env.SAFELIGHT_BIN ?? built.find(existsSync);
  const lines = start(program, ["serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--workers=1",
    "--queue=4", "--queue-wait=1s", "--log-format=json"]);
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const found = /listening on http:\/\/([0-9.:]+) \(metrics on http:\/\/([0-9.:]+)\//.exec(line);
      if (found) resolve({ service: `http://${found[1]}`, metrics: found[2] });
    });
    lines.on("close", () => reject(new Error("the service did not start")));
  });
}

async function startPrometheus(scratch, metrics) {
  const config = `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 5s }
rule_files: [rules.yml]
scrape_configs:
- job_name: safelight
  static_configs: [{ targets: ["${metrics}"] }]
`;
  await writeFile(path.join(scratch, "prometheus.yml"), config);
  await copyFile(path.join(ROOT, "deploy/prometheus/rules.yml"), path.join(scratch, "rules.yml"));
  const address = `127.0.0.1:${await freePort()}`;
  const lines = start(tool("prometheus"), [
    `--web.listen-address=${address}`, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
    `--web.local-assets=${path.resolve(UI, "usr/share/prometheus/web")}/`,
  ], scratch);
  lines.on("line", () => {});
  for (const end = Date.now() + CALL_MS; Date.now() < end; await sleep(100)) {
    const answer = await fetch(`http://${address}/-/ready`).catch(() => undefined);
    if (answer?.ok) return `http://${address}`;
  }
  throw new Error("Prometheus did not become ready");
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What clients are answered: calm stretches, and bursts that are more than the queue holds. */
async function load(service, milliseconds) {
  const picture = await readFile(path.join(ROOT, "docs/images/scene.jpg"));
  const counts = {};
  const post = async (route, body = picture) => {
    const headers = { "Content-Type": "image/jpeg" };
    const answer = await fetch(`${service}${route}`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
  };
  const end = Date.now() + milliseconds;
  for (let round = 0; Date.now() < end; round++) {
    await post("/v1/remove-background");
    await post("/v1/inspect");
    await post("/v1/transform?width=400");
    if (round % 5 === 1) await post("/v1/enhance");
    if (round % 8 === 2) await post("/v1/inspect", "no picture");
    // Twelve at once: five have room, for one works and four wait.
    if (round % 4 === 3) await Promise.all(Array.from({ length: 12 }, () => post("/v1/remove-background")));
    await sleep(400 + 600 * Math.sin(round / 12) ** 2);
  }
  return counts;
}

async function shoot(browser, url, file, ready, before) {
  const page = await openPage(browser, url, { requests: new Set(), errors: [] });
  await waitFor(page, ready, CALL_MS, url);
  if (before) await evaluate(page, before);
  await sleep(2000);
  // A window as high as the page: its bar is fixed to the top of the window.
  const { cssContentSize } = await page("Page.getLayoutMetrics");
  const [width, height] = [1280, Math.ceil(cssContentSize.height)];
  await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  await evaluate(page, `document.documentElement.style.overflow = "hidden"`);
  // What shows and hides itself has done so.
  await sleep(2000);
  const { data } = await page("Page.captureScreenshot", { format: "webp", quality: 80 });
  await writeFile(file, Buffer.from(data, "base64"));
  console.log(`${file}: ${width}x${height}, ${Math.round(data.length * 0.75 / 1024)} KiB`);
}

try {
  await main(process.argv.slice(2));
} finally {
  for (const step of cleanUp.reverse()) await step();
}
