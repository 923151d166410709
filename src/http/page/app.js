// The demo page: which pictures there are, which one is shown, what runs, and what the buttons do.
// Pictures run one after another. Nothing is kept in the browser beyond this page's own memory.

import { loadCatalogue } from "./catalogue.js";
import { curlCommand } from "./curl.js";
import { checkPicture, expectedType, formatsInWords, resultName } from "./files.js";
import { address, busy, cancel, enqueue, newItem, perform } from "./jobs.js";
import { hasKey, listenForKey } from "./key.js";
import { listenForNotice } from "./notice.js";
import { Options } from "./options.js";
import { Pipeline } from "./pipeline.js";
import { stepInWords } from "./progress.js";
import * as view from "./view.js";
import { bytes, element } from "./words.js";

const $ = (id) => document.getElementById(id);

const page = { operation: null, options: null, items: [], selected: null, running: null, refused: [], limits: null, made: new Map() };

async function start() {
  listenForNotice($("privacy"), $("notice"));
  const catalogue = await loadCatalogue();
  page.limits = catalogue.limits;
  $("max-size").textContent = bytes(page.limits.bytes);
  $("formats").textContent = formatsInWords(page.limits.formats);
  $("file").accept = page.limits.formats.map((format) => `image/${format}`).join();
  $("openapi-link").hidden = !catalogue.published;
  makeTabs(catalogue.operations());
  listen();
  render();
  if ($("file").files.length) takeChosen();
}

// Tabs

function makeTabs(operations) {
  const tabs = operations.map((operation) => {
    const tab = element("button", { type: "button", role: "tab", id: `tab-${operation.id}`, textContent: operation.title });
    tab.setAttribute("aria-controls", "workspace");
    tab.addEventListener("click", () => choose(operation, tab));
    return tab;
  });
  $("tabs").append(...tabs);
  $("tabs").addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = tabs.at(to % tabs.length);
    next.focus();
    next.click();
  });
  $("workspace").setAttribute("role", "tabpanel");
  choose(operations[0], tabs[0]);
}

function choose(operation, chosen) {
  for (const tab of $("tabs").children) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
  }
  chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
  $("workspace").setAttribute("aria-labelledby", chosen.id);
  if (page.operation === operation) return;
  page.operation = operation;
  const { options, box } = optionsOf(operation);
  page.options = options;
  $("controls").replaceChildren(box);
  render();
}

/** The options of an operation, made once: what was set stays set while the page is open. */
function optionsOf(operation) {
  if (!page.made.has(operation)) {
    const box = element("div", { className: "controls" });
    const context = { limits: page.limits, onChange: render };
    const options = operation.steps ? new Pipeline(box, operation, context) : new Options(box, operation, context);
    page.made.set(operation, { options, box });
  }
  return page.made.get(operation);
}

// Pictures in

async function add(files) {
  if (!files.length) return;
  const checked = await Promise.all(files.map(async (file) => ({ file, fault: await checkPicture(file, page.limits) })));
  page.refused = checked.filter(({ fault }) => fault).map(({ fault }) => ({ title: "Not sent", detail: fault }));
  const items = checked.filter(({ fault }) => !fault).map(({ file }) => newItem(file));
  page.items.push(...items);
  page.selected = items[0] ?? page.selected;
  if (items.length && !page.options.problem()) items.forEach((item) => enqueue(item, requestNow()));
  pump();
}

function takeChosen() {
  const files = [...$("file").files];
  $("file").value = ""; // so that the same file can be chosen again
  add(files);
}

function listen() {
  $("file").addEventListener("change", takeChosen);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) event.preventDefault();
    add(files);
  });
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) $("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.remove("over");
    add([...event.dataTransfer.files]);
  });
  $("options").addEventListener("submit", (event) => {
    event.preventDefault();
    again(page.selected ? [page.selected] : []);
  });
  $("run-all").addEventListener("click", () => again(page.items));
  $("cancel").addEventListener("click", () => page.selected && stop(page.selected));
  $("clear").addEventListener("click", () => [...page.items].forEach(remove));
  $("copy-curl").addEventListener("click", copyCurl);
  listenForKey($("key-box"), $("key-note"), () => {
    render();
    if (hasKey()) again(page.items.filter(({ problem }) => problem?.status === 401));
  });
}

// The queue: one at a time

function requestNow() {
  const { operation, options } = page;
  return { operation, values: options.values, pairs: options.pairs(), key: requestKey() };
}

function again(items) {
  if (page.options.problem()) return;
  page.refused = [];
  items.filter((item) => !busy(item)).forEach((item) => enqueue(item, requestNow()));
  pump();
  $("status").scrollIntoView({ block: "nearest" }); // on a phone the options are below the picture
}

async function pump() {
  render();
  const item = page.items.find(({ phase }) => phase === "queued");
  if (page.running || !item) return;
  page.running = item;
  // "done" is said when the result can be seen.
  await perform(item, render, (done) => (done === page.selected ? view.showPictures(done) : null));
  page.running = null;
  pump();
}

function stop(item) {
  cancel(item);
  render();
  $("run").focus(); // the button that had the focus is gone
}

function remove(item) {
  const index = page.items.indexOf(item);
  cancel(item);
  page.items.splice(index, 1);
  if (page.selected === item) page.selected = page.items[Math.min(index, page.items.length - 1)] ?? null;
  render();
  (page.selected?.row?.open ?? $("file")).focus();
}

// As curl

/** Two requests with the same key ask for the same thing. */
function requestKey() {
  const plain = page.options.pairs().map(([name, value]) => [name, value instanceof File ? [value.name, value.size, value.lastModified] : value]);
  return JSON.stringify([page.operation.id, plain]);
}

function curlFor(item) {
  const { operation, options } = page;
  const same = item.outcome?.request.key === requestKey();
  const type = same ? item.outcome.body.type : expectedType(operation, options.values, item.file);
  const out = resultName(item.file.name, operation.suffix(options.values), type);
  return curlCommand(address(operation.path), item.file.name, options.pairs(), out, hasKey());
}

async function copyCurl() {
  const text = $("curl");
  text.textContent = curlFor(page.selected);
  text.hidden = false;
  getSelection().selectAllChildren(text);
  // The clipboard API exists only in secure contexts; a page served over plain HTTP has the old way.
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false) || document.execCommand("copy");
  const done = hasKey() ? "Copied. Put your key in SAFELIGHT_KEY, then paste it" : "Copied. Paste it";
  view.showStatus(copied ? `${done} in the folder of the picture.` : "Select the text and copy it.");
}

// What is seen

function statusOf(item) {
  if (!item) return "No picture yet.";
  const name = item.file.name;
  const waiting = page.items.filter(({ phase }) => phase === "queued").length;
  const more = waiting ? ` ${waiting} more waiting.` : "";
  const step = item.phase === "working" ? stepInWords(item.moment, item.request.values.steps) : "";
  return {
    idle: `${name} is ready.`,
    queued: `${name} waits its turn.`,
    uploading: `Uploading ${name} …${more}`,
    working: step ? `${name}: ${step} …${more}` : `Working on ${name} …${more}`,
    done: `${name} is done.${more}`,
    error: `${name} did not work.${more}`,
    cancelled: `${name} was cancelled.`,
  }[item.phase];
}

/** For scripts and tests: idle, uploading, working, done or error, of what runs, else of what is shown. */
function stateOf(item) {
  const phase = (page.running ?? item)?.phase;
  if (!item && page.refused.length) return "error";
  return { queued: "uploading", cancelled: "idle" }[phase] ?? phase ?? "idle";
}

function renderRun(item) {
  const problem = page.options.problem();
  const failed = item?.phase === "error" || item?.phase === "cancelled";
  const last = failed ? item.request : item?.outcome?.request;
  const here = last?.operation === page.operation;
  const changed = Boolean(last) && last.key !== requestKey();
  const run = $("run");
  run.disabled = !item || busy(item) || Boolean(problem);
  run.textContent = !here ? page.operation.action ?? page.operation.title : failed ? "Try again" : "Run again";
  run.classList.toggle("primary", !last || changed || failed);
  $("run-all").hidden = page.items.length < 2;
  $("run-all").disabled = Boolean(problem) || page.items.every(busy);
  const idle = item ? "" : "Starts when you choose a picture.";
  $("run-hint").textContent = problem || (here && changed && !busy(item) ? "The options have changed." : idle);
}

function render() {
  if (!page.options) return;
  const item = page.selected;
  view.showQueue(page.items, item, { select, remove });
  view.showPictures(item);
  view.showProgress(item);
  view.showStatus(statusOf(item));
  view.showErrors([...page.refused, ...(item?.problem ? [item.problem] : [])]);
  renderRun(item);
  $("key-box").hidden = item?.problem?.status !== 401;
  $("key-note").hidden = !hasKey();
  const askable = Boolean(item) && !page.options.problem();
  $("copy-curl").disabled = !askable;
  if (!askable) $("curl").hidden = true;
  if (!$("curl").hidden) $("curl").textContent = curlFor(item);
  $("drop").classList.toggle("small", page.items.length > 0);
  document.documentElement.dataset.state = stateOf(item);
}

function select(item) {
  page.selected = item;
  page.refused = [];
  render();
}

start();
