// Draws what app.js decides: the list, the status, the pictures, the facts. Holds no state but the
// two object URLs on screen, which it revokes when they leave it.

import { Compare } from "./compare.js";
import { thumbnail } from "./files.js";
import { reportInWords } from "./report.js";
import { bytes, confidence, duration, element, timings } from "./words.js";

const $ = (id) => document.getElementById(id);

const STATE_WORD = {
  queued: "waiting", uploading: "uploading", working: "working", done: "done", error: "failed", cancelled: "cancelled",
};

const compare = new Compare($("pictures"));
const shown = { item: null, outcome: null, urls: [] };
let ready = Promise.resolve();

/** Puts an item's pictures on the stage; settles when they can be seen. */
export function showPictures(item) {
  const outcome = item?.outcome ?? null;
  if (shown.item === item && shown.outcome === outcome) return ready;
  shown.urls.forEach((url) => URL.revokeObjectURL(url));
  Object.assign(shown, { item, outcome, urls: [] });
  const before = item ? hold(item.file) : null;
  const after = outcome?.picture ? hold(outcome.picture) : null;
  $("stage").hidden = !item;
  showOutcome(item, outcome, after);
  ready = compare.show(before, after).then(() => {
    if (shown.item === item && shown.outcome === outcome) showCaption(outcome);
  });
  return ready;
}

/** An object URL that lives as long as it is on screen. */
function hold(blob) {
  const url = URL.createObjectURL(blob);
  shown.urls.push(url);
  return url;
}

function showCaption(outcome) {
  const slide = "Drag across the picture, or use the arrow keys, to compare.";
  const aside = "The result has another shape, so the two stand side by side.";
  const how = outcome?.picture ? (compare.aside ? aside : slide) : "";
  $("caption").textContent = [how, outcome?.note].filter(Boolean).join(" ");
}

function showOutcome(item, outcome, after) {
  $("actions").hidden = !item;
  $("download").hidden = !outcome;
  $("facts").hidden = !outcome;
  if (item) $("before").alt = `${item.file.name}, as it was sent`;
  if (!outcome) {
    $("download").removeAttribute("href");
    return;
  }
  $("result").alt = `The result for ${item.file.name}`;
  $("download").href = outcome.picture === outcome.body ? after : hold(outcome.body);
  $("download").textContent = outcome.body.type === "application/json" ? "Download as JSON" : "Download";
  $("download").download = outcome.name;
  $("download").title = outcome.name;
  $("facts-list").replaceChildren(...outcome.facts.map((fact) => element("li", { textContent: fact })));
  $("found").hidden = outcome.found.length === 0;
  $("found-list").replaceChildren(...outcome.found.map(({ text, done }) => element("li", { textContent: text, className: done ? "done" : "" })));
  showTimings(outcome.stages);
}

function showTimings(stages) {
  const known = stages.filter(({ name }) => name !== "total");
  const sum = stages.find(({ name }) => name === "total")?.ms ?? known.reduce((all, { ms }) => all + ms, 0);
  $("timings").hidden = known.length === 0;
  $("total").textContent = duration(sum);
  $("bar").replaceChildren(...known.map(({ ms }, index) => {
    const part = element("span", { className: `tone-${index % 6}` });
    // Shares that sum to less than one would leave a part of the bar empty.
    part.style.setProperty("flex-grow", String(ms * 1000));
    return part;
  }));
  $("stages").replaceChildren(...known.map(({ name, ms }, index) => element("li", {}, [
    element("span", { className: `dot tone-${index % 6}` }), element("span", { textContent: name }),
    element("span", { className: "figure", textContent: duration(ms) }),
  ])));
}

/** What is worth saying about an answer, from its headers. */
export function describe(answer, values) {
  const [width, height] = [answer.header("X-Image-Width"), answer.header("X-Image-Height")];
  const type = { "image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "application/zip": "ZIP" }[answer.body.type];
  const model = answer.header("X-Model");
  const licence = answer.header("X-Model-License");
  return {
    facts: [
      width && height ? `${width} × ${height} pixels` : "",
      [type, bytes(answer.body.size)].filter(Boolean).join(", "),
      confidence(answer.header("X-Mask-Confidence")),
      model ? `${model.includes(",") ? "models" : "model"} ${model}${licence ? ` (${licence})` : ""}` : "",
    ].filter(Boolean),
    found: reportInWords(answer.header("X-Restoration-Report"), values.steps === "auto"),
    stages: timings(answer.header("Server-Timing")),
  };
}

/** The list, shown when there is more than one picture. Keeps the focus where it was. */
export function showQueue(items, selected, actions) {
  $("queue-box").hidden = items.length < 2;
  const rows = items.map((item) => {
    item.row ??= makeRow(item, actions);
    const { open, state, remove } = item.row;
    open.setAttribute("aria-current", String(item === selected));
    state.textContent = STATE_WORD[item.phase];
    item.row.line.dataset.phase = item.phase;
    remove.setAttribute("aria-label", `Remove ${item.file.name}`);
    return item.row.line;
  });
  const list = $("queue");
  if (rows.length !== list.children.length || rows.some((row, index) => row !== list.children[index])) {
    list.replaceChildren(...rows);
  }
}

function makeRow(item, actions) {
  const canvas = element("canvas", { width: 80, height: 80 });
  canvas.setAttribute("aria-hidden", "true");
  thumbnail(item.file, canvas).catch(() => canvas.classList.add("blank"));
  const state = element("span", { className: "row-state" });
  const name = element("span", { className: "row-name", textContent: item.file.name, title: item.file.name });
  const open = element("button", { type: "button", className: "row-open" }, [canvas, name, state]);
  const remove = element("button", { type: "button", className: "row-remove", textContent: "×" });
  open.addEventListener("click", () => actions.select(item));
  remove.addEventListener("click", () => actions.remove(item));
  return { line: element("li", {}, [open, remove]), open, state, remove };
}

/** Spoken once a change; the percentage beside it is not spoken. */
export function showStatus(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

export function showProgress(item) {
  const busy = item?.phase === "uploading" || item?.phase === "working";
  const progress = $("progress");
  progress.hidden = !busy;
  $("cancel").hidden = !(busy || item?.phase === "queued");
  $("stage").dataset.phase = item?.phase ?? "";
  const fraction = busy ? item.fraction : null;
  if (fraction === null) progress.removeAttribute("value");
  else progress.value = fraction;
  $("percent").textContent = fraction === null ? "" : `${Math.round(fraction * 100)} %`;
}

/** One or more problems { title, detail, advice, reference }; none hides the box. */
export function showErrors(problems) {
  const box = $("error");
  const key = JSON.stringify(problems);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.hidden = problems.length === 0;
  box.replaceChildren(...problems.flatMap(({ title, detail, advice, reference }) => [
    element("strong", { textContent: title }),
    ...[detail, advice].filter(Boolean).map((textContent) => element("p", { textContent })),
    ...(reference ? [element("p", { className: "hint", textContent: reference })] : []),
  ]));
}
