// The demo page: which pictures there are, which one is shown, what runs, and what the buttons do.
// Pictures run one after another. Nothing is kept in the browser beyond this page's own memory.

import { loadCatalogue } from "./catalogue.js";
import { curlCommand } from "./curl.js";
import { checkPicture, expectedType, resultName, zipMember } from "./files.js";
import { Options } from "./options.js";
import { NoAnswer, send } from "./upload.js";
import * as view from "./view.js";
import { NO_CONNECTION, bytes, element, problemFrom } from "./words.js";

const $ = (id) => document.getElementById(id);

const page = { operation: null, options: null, items: [], selected: null, running: null, refused: [], limit: 0 };

async function start() {
  const catalogue = await loadCatalogue();
  page.limit = catalogue.maxUpload();
  $("max-size").textContent = bytes(page.limit);
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
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
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
  $("workspace").setAttribute("aria-labelledby", chosen.id);
  if (page.operation === operation) return;
  page.operation = operation;
  page.options = new Options($("controls"), operation, page.limit, render);
  render();
}

// Pictures in

async function add(files) {
  if (!files.length) return;
  const checked = await Promise.all(files.map(async (file) => ({ file, fault: await checkPicture(file, page.limit) })));
  page.refused = checked.filter(({ fault }) => fault).map(({ fault }) => ({ title: "Not sent", detail: fault }));
  const items = checked.filter(({ fault }) => !fault).map(({ file }) => ({ file, phase: "idle", outcome: null, problem: null, fraction: null }));
  page.items.push(...items);
  page.selected = items[0] ?? page.selected;
  if (items.length && !page.options.problem()) items.forEach(enqueue);
  pump();
}

function takeChosen() {
  const files = [...$("file").files];
  $("file").value = ""; // so that the same file can be chosen again
  add(files);
}

function listen() {
  $("file").addEventListener("change", takeChosen);
  document.addEventListener("paste", (event) => add([...(event.clipboardData?.files ?? [])]));
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
  $("cancel").addEventListener("click", () => page.selected && cancel(page.selected));
  $("clear").addEventListener("click", () => [...page.items].forEach(remove));
  $("copy-curl").addEventListener("click", copyCurl);
}

// The queue: one at a time

/** The request is what the options say now, not what they say when its turn comes. */
function enqueue(item) {
  const { operation, options } = page;
  Object.assign(item, {
    phase: "queued", problem: null, fraction: null,
    request: { operation, values: options.values, pairs: options.pairs(), key: requestKey() },
  });
}

function again(items) {
  if (page.options.problem()) return;
  page.refused = [];
  items.filter((item) => !busy(item)).forEach(enqueue);
  pump();
  $("status").scrollIntoView({ block: "nearest" }); // on a phone the options are below the picture
}

async function pump() {
  render();
  const item = page.items.find(({ phase }) => phase === "queued");
  if (page.running || !item) return;
  page.running = item;
  await perform(item);
  page.running = null;
  pump();
}

async function perform(item) {
  const { operation, pairs } = item.request;
  Object.assign(item, { phase: "uploading", fraction: 0 });
  item.call = send(address(operation), item.file, pairs, {
    progress: (phase, fraction) => {
      Object.assign(item, { phase, fraction });
      render();
    },
  });
  render();
  try {
    const answer = await item.call.answer;
    if (answer.ok) item.outcome = await outcomeOf(item, answer);
    else Object.assign(item, { outcome: null, problem: await problemFrom(answer) });
    // "done" is said when the result can be seen.
    if (answer.ok && item === page.selected) await view.showPictures(item);
    item.phase = answer.ok ? "done" : "error";
  } catch (error) {
    const stopped = error instanceof NoAnswer && error.kind === "aborted";
    item.phase = stopped ? "cancelled" : "error";
    if (!stopped) Object.assign(item, { outcome: null, problem: NO_CONNECTION });
  }
  item.call = null;
}

async function outcomeOf(item, answer) {
  const { operation, values } = item.request;
  const { body } = answer;
  const archive = body.type === "application/zip";
  const inside = archive ? await zipMember(body, "color").catch(() => null) : null;
  return {
    request: item.request,
    body,
    picture: archive ? inside?.blob ?? null : body,
    note: inside ? `Shown is ${inside.title}; the ZIP also holds the mask, alpha.png.` : "",
    name: resultName(item.file.name, operation.suffix(values), body.type),
    ...view.describe(answer),
  };
}

const busy = (item) => ["queued", "uploading", "working"].includes(item.phase);

function cancel(item) {
  if (item.call) item.call.abort();
  else if (busy(item)) item.phase = "cancelled";
  render();
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

const address = (operation) => new URL(operation.path.slice(1), document.baseURI).href;

/** Two requests with the same key ask for the same thing. */
function requestKey() {
  const plain = page.options.pairs().map(([name, value]) => [name, value instanceof File ? [value.name, value.size, value.lastModified] : value]);
  return JSON.stringify([page.operation.id, plain]);
}

function curlFor(item) {
  const { operation, options } = page;
  const same = item.outcome?.request.key === requestKey();
  const type = same ? item.outcome.body.type : expectedType(operation.id, options.values, item.file);
  const out = resultName(item.file.name, operation.suffix(options.values), type);
  return curlCommand(address(operation), item.file.name, options.pairs(), out);
}

async function copyCurl() {
  const text = $("curl");
  text.textContent = curlFor(page.selected);
  text.hidden = false;
  getSelection().selectAllChildren(text);
  // The clipboard API exists only in secure contexts; a page served over plain HTTP has the old way.
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false) || document.execCommand("copy");
  view.showStatus(copied ? "Copied. Paste it in the folder of the picture." : "Select the text and copy it.");
}

// What is seen

function statusOf(item) {
  if (!item) return "No picture yet.";
  const name = item.file.name;
  const waiting = page.items.filter(({ phase }) => phase === "queued").length;
  const more = waiting ? ` ${waiting} more waiting.` : "";
  return {
    idle: `${name} is ready.`,
    queued: `${name} waits its turn.`,
    uploading: `Uploading ${name} …${more}`,
    working: `Working on ${name} …${more}`,
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
  run.textContent = !here ? page.operation.title : failed ? "Try again" : "Run again";
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
