// What becomes of one picture: it is sent, and the answer, or the reason why there is none, is kept
// with it. Pictures are sent one after another by app.js.

import { resultName, zipMember } from "./files.js";
import { factsOf } from "./inspect.js";
import { NoAnswer, send } from "./upload.js";
import { describe } from "./view.js";
import { NO_CONNECTION, problemFrom } from "./words.js";

/** Where a route of the server is, whatever path the page itself is served under. */
export const address = (path) => new URL(path.slice(1), document.baseURI).href;

/** A picture that waits for what somebody wants of it. */
export const newItem = (file) => ({ file, phase: "idle", outcome: null, problem: null, fraction: null, moment: null });

export const busy = (item) => ["queued", "uploading", "working"].includes(item.phase);

/** The request is what the options say now, not what they say when its turn comes. */
export function enqueue(item, request) {
  Object.assign(item, { phase: "queued", problem: null, fraction: null, moment: null, request });
}

export function cancel(item) {
  item.call?.abort();
  if (busy(item)) item.phase = "cancelled";
}

/** Sends an item's request; `changed()` after each thing to see, `shown()` settles when the result can be seen. */
export async function perform(item, changed, shown) {
  const { operation, pairs } = item.request;
  Object.assign(item, { phase: "uploading", fraction: 0 });
  item.call = send(address(operation.path), item.file, pairs, {
    progress: (phase, fraction, moment) => {
      Object.assign(item, { phase, fraction, moment });
      changed();
    },
    watched: operation.watched ? (id) => address(`/v1/progress/${id}`) : null,
  });
  changed();
  try {
    const answer = await item.call.answer;
    if (answer.ok) item.outcome = await outcomeOf(item, answer);
    else Object.assign(item, { outcome: null, problem: await problemFrom(answer) });
    if (answer.ok) await shown(item);
    item.phase = answer.ok ? "done" : "error";
  } catch (error) {
    const stopped = error instanceof NoAnswer && error.kind === "aborted";
    item.phase = stopped ? "cancelled" : "error";
    if (!stopped) Object.assign(item, { outcome: null, problem: NO_CONNECTION });
  }
  item.call = null;
}

async function outcomeOf(item, answer) {
  const { request, file } = item;
  const { body } = answer;
  const told = { request, body, name: resultName(file.name, request.operation.suffix(request.values), body.type) };
  if (body.type === "application/json") {
    return { ...told, picture: null, note: "", found: [], stages: [], facts: factsOf(JSON.parse(await body.text())) };
  }
  const archive = body.type === "application/zip";
  const inside = archive ? await zipMember(body, "color").catch(() => null) : null;
  const note = inside ? `Shown is ${inside.title}; the ZIP also holds the mask, alpha.png.` : "";
  return { ...told, picture: archive ? inside?.blob ?? null : body, note, ...describe(answer, request.values) };
}
