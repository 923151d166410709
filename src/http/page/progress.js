// How far a request is, as the server tells it in server-sent events. It is a nicety: whatever goes
// wrong here goes unsaid, and the request itself goes on. `fetch`, because EventSource sends no key.

/** A random UUID. `randomUUID` exists only in secure contexts; a page over plain HTTP has the bytes. */
export function freshId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  const hex = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Tells each moment { step, share, operation } to `tell`, until the stream or the wish for it ends. */
export function watch(url, headers, tell) {
  const stop = new AbortController();
  follow(url, headers, tell, stop.signal).catch(() => {});
  return () => stop.abort();
}

async function follow(url, headers, tell, signal) {
  const answer = await fetch(url, { headers, signal });
  if (!answer.ok) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const moment of events.map(momentOf)) {
      if (moment) tell(moment);
    }
  }
}

/** The data of one event `progress`; null for anything else. */
function momentOf(event) {
  const lines = event.split("\n");
  const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
  if (!lines.includes("event: progress")) return null;
  const { step, share, operation } = JSON.parse(data);
  return { step: String(step), share: Number(share) || 0, operation: Number(operation) || 0 };
}

const STEP_WORDS = {
  "": "Waiting for its turn",
  upload: "Receiving the picture",
  queue: "Waiting for its turn",
  decode: "Reading the picture",
  inspect: "Reading the picture",
  measure: "Looking what it needs",
  detect: "Looking for scratches",
  scratches: "Filling in scratches",
  denoise: "Removing noise",
  dejpeg: "Smoothing JPEG blocks",
  deblur: "Sharpening blur",
  fade: "Bringing faded tones back",
  contrast: "Raising local contrast",
  colorize: "Adding colour",
  faces: "Restoring faces",
  upscale: "Enlarging",
  tone: "Setting tones",
  sharpen: "Sharpening",
  mix: "Mixing with the original",
  inference: "Finding the subject",
  refine: "Refining the edges",
  compose: "Putting it together",
  turn: "Turning",
  resize: "Resizing",
  finish: "Finishing",
  encode: "Writing the result",
};

/** What the server does just now, in words; a step that the page does not know is called by its name. */
export function stepInWords(moment, steps) {
  if (!moment) return "";
  const words = STEP_WORDS[moment.step] ?? `Step “${moment.step}”`;
  return moment.operation && steps > 1 ? `${words} (step ${moment.operation} of ${steps})` : words;
}
