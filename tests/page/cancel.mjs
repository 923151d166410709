// Cancels what the server works on and what waits on it, and reads in its metrics that it heard.
// The server has one worker. Sees what the page said on the way: {said, shares, watched}.

const WORK_MS = 45_000;

/** The figures of the server by name. */
async function figures(address) {
  const text = await (await fetch(address)).text();
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

/** Waits until the figures are as wanted; says how long that took. */
async function heard(address, right, what, limit) {
  const begin = Date.now();
  for (;;) {
    const now = await figures(address);
    if (right((name) => now.get(name) ?? 0)) return Date.now() - begin;
    if (Date.now() - begin > limit) throw new Error(`${what}: not within ${limit} ms`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** Keeps every text of the status line and every share of the bar. */
const LISTEN = `(() => {
  window.said = [];
  window.shares = [];
  const look = () => {
    const text = document.getElementById("status").textContent;
    if (window.said.at(-1) !== text) window.said.push(text);
    const bar = document.getElementById("progress");
    if (!bar.hidden && bar.position >= 0 && document.documentElement.dataset.state === "working") window.shares.push(bar.position);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
})()`;

async function begin(visitor) {
  await visitor.see(LISTEN);
  await visitor.tab("restore");
  await visitor.see(`document.getElementById("opt-steps-auto")?.click()`);
  await visitor.chooseNoise(3000, 2000);
  await visitor.until(`document.documentElement.dataset.state === "working"`, "the picture is sent", WORK_MS);
}

export default async function cancel(visitor, metrics) {
  const live = "safelight_leases_live";
  const disconnected = 'safelight_inputs_deleted_total{reason="disconnect"}';
  const decoded = 'safelight_inputs_deleted_total{reason="decoded"}';
  const watched = await visitor.see(`fetch("openapi.json").then((a) => a.json()).then((api) => "/v1/progress/{id}" in api.paths)`);
  const before = await figures(metrics);

  await begin(visitor);
  await heard(metrics, (now) => now(decoded) > (before.get(decoded) ?? 0), "the worker has the picture", WORK_MS);
  if (watched) await visitor.until("window.shares.some((share) => share > 0)", "the bar moves", WORK_MS);
  await visitor.shoot("working");

  // Another tab's picture waits for the only worker, and is given up while it does.
  const second = await visitor.another();
  await begin(second);
  await heard(metrics, (now) => now("safelight_inputs_live") === 1, "the second picture is held", WORK_MS);
  if (watched) await second.until(`document.getElementById("status").textContent.includes("waiting for its turn")`, "it says that it waits");
  await second.click("#cancel");
  await second.until(`document.getElementById("status").textContent.includes("was cancelled")`, "it is said");
  await heard(metrics, (now) => now(disconnected) === (before.get(disconnected) ?? 0) + 1 && now("safelight_inputs_live") === 0,
    "the input is deleted because its client went", WORK_MS);
  visitor.expect((await figures(metrics)).get(live) > 0, "the first picture is worked on all the while");

  await visitor.click("#cancel");
  await visitor.until(`document.getElementById("status").textContent.includes("was cancelled")`, "it is said");
  const stopped = await heard(metrics, (now) => now(live) === 0, "the work stops", WORK_MS);
  visitor.expect(await visitor.see(`document.getElementById("run").textContent === "Try again" && document.activeElement.id === "run"`),
    "one can try again at once");
  visitor.expect(await visitor.see(`document.getElementById("error").hidden`), "a cancelled picture is no error");
  return { watched, stopped, said: await visitor.see("window.said"), shares: await visitor.see("window.shares") };
}
