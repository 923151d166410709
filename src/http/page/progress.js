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
  "": "waiting for its turn",
  upload: "receiving the picture",
  queue: "waiting for its turn",
  decode: "reading the picture",
  inspect: "reading the picture",
  measure: "looking what it needs",
  detect: "looking for scratches",
  scratches: "filling in scratches",
  denoise: "removing noise",
  dejpeg: "smoothing JPEG blocks",
  deblur: "sharpening blur",
  fade: "bringing faded tones back",
  contrast: "raising local contrast",
  colorize: "adding colour",
  faces: "restoring faces",
  upscale: "enlarging",
  tone: "setting tones",
  sharpen: "sharpening",
  mix: "mixing with the original",
  inference: "finding the subject",
  refine: "refining the edges",
  compose: "putting it together",
  turn: "turning",
  resize: "resizing",
  finish: "finishing",
  encode: "writing the result",
};

/** What the server does just now, in words; a step that the page does not know is called by its name. */
export function stepInWords(moment, steps) {
  if (!moment) return "";
  const words = STEP_WORDS[moment.step] ?? `step “${moment.step}”`;
  return moment.operation && steps > 1 ? `${words} (step ${moment.operation} of ${steps})` : words;
}
