// Figures and faults in words, and the one helper that makes elements.

/** An element with properties and children. Text only ever goes in as text. */
export function element(name, properties = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "htmlFor" && name === "output") made.htmlFor.value = value;
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

export function bytes(count) {
  if (count < 1024) return `${count} bytes`;
  if (count < 1024 * 1024) return `${Math.round(count / 1024)} KiB`;
  const mebi = count / 1024 / 1024;
  return `${Number.isInteger(mebi) ? mebi : mebi.toFixed(1)} MiB`;
}

export function duration(ms) {
  if (ms < 1) return "< 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A Server-Timing header as [{ name, ms }]; what carries no duration is left out. */
export function timings(header) {
  return (header ?? "").split(",").flatMap((entry) => {
    const [name, ...parameters] = entry.split(";").map((part) => part.trim());
    const dur = parameters.map((part) => /^dur\s*=\s*"?([\d.]+)/i.exec(part)).find(Boolean);
    return name && dur ? [{ name: name.replaceAll(/[-_]/g, " "), ms: Number(dur[1]) }] : [];
  });
}

/** What the mask's confidence means to somebody who looks at the picture. */
export function confidence(header) {
  const value = Number(header);
  if (header === null || header === "" || Number.isNaN(value)) return "";
  if (value === 0) return "Nothing was found to cut out.";
  const said = `mask confidence ${value.toFixed(2)}`;
  return value < 0.6 ? `${said}: look closely at the edges` : said;
}

const TO_DO = {
  400: "Change the options and try again.",
  401: "This server asks for a key. Give yours below; it is held until this page is closed, and stored nowhere.",
  403: "The key in use does not allow this.",
  404: "This server does not offer this operation.",
  408: "The upload was too slow. Try again, or send a smaller picture.",
  413: "Save the picture smaller, or with fewer pixels, and try again.",
  415: "Save it as JPEG, PNG or WebP and try again.",
  422: "Open it in a picture editor, save a new copy, and try that.",
  429: "You are sending faster than this server allows.",
  500: "That is a fault of the server. Trying again may help; if not, tell its operator the request number.",
  501: "This server does not do that.",
  503: "The server is busy.",
  504: "It took too long. A smaller picture, or fewer steps, will be quicker.",
  507: "The server has no room at the moment.",
};

// Where the status alone would advise the wrong thing.
const TO_DO_BY_CODE = {
  too_many_pixels: "Make the picture smaller and try again.",
  side_too_long: "Make the picture smaller and try again.",
  job_too_large: "Make the picture smaller and try again.",
  bomb: "Save the picture anew with a picture editor and try that.",
  nothing_found: "Try a picture in which something stands out from its background.",
  roi_outside: TO_DO[400],
  model_missing: "Ask the operator of this server to install it.",
  step_missing: "Choose other steps, or ask the operator of this server to install it.",
  shutting_down: "The server is about to stop; try again when it is back.",
};

/** An answer that is not a picture, as { title, detail, advice }. Reads problem+json where there is one. */
export async function problemFrom(answer) {
  let problem = {};
  if (/[/+]json/.test(answer.header("Content-Type") ?? "")) {
    problem = await answer.body.text().then(JSON.parse).catch(() => ({})) ?? {};
  }
  const wait = Number.parseInt(answer.header("Retry-After"), 10);
  const retry = wait > 0 ? ` Try again in ${wait} ${wait === 1 ? "second" : "seconds"}.` : "";
  const request = answer.header("X-Request-Id");
  return {
    status: answer.status,
    title: text(problem.title) || `The server answered ${answer.status}.`,
    // How a program sends a key is of no use here.
    detail: answer.status === 401 ? "" : text(problem.detail),
    advice: `${TO_DO_BY_CODE[problem.code] ?? TO_DO[answer.status] ?? ""}${retry}`.trim(),
    reference: request ? `Request ${request}` : "",
  };
}

const text = (value) => (typeof value === "string" ? value : "");

export const NO_CONNECTION = {
  title: "No answer came",
  detail: "The connection ended before the server answered.",
  advice: "Check that the server is running and reachable, then try again. A server that is full, or a picture over its limit, can end like this too.",
  reference: "",
};
