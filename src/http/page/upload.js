// One request: the picture goes up, the answer comes back, and it can be stopped on the way.
// XMLHttpRequest, because fetch does not report how much of a body was sent.

import { keyHeaders } from "./key.js";
import { freshId, watch } from "./progress.js";

/** The request ended without an answer: `kind` is "aborted" or "network". */
export class NoAnswer extends Error {
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

/**
 * Sends `file` and the option `pairs` to `url`.
 *
 * `progress(phase, fraction, moment)`: phase "uploading" with 0..1, then "working" with null until the
 * server tells of the work itself; `moment` is then what it told. `watched` asks it to, by the address
 * of its stream for a random id. `abort()` closes the connection, which is what tells the server to stop.
 */
export function send(url, file, pairs, { progress, watched = null }) {
  const request = new XMLHttpRequest();
  const id = watched ? freshId() : "";
  let unwatch = () => {};
  const answer = new Promise((resolve, reject) => {
    const end = (settle) => () => {
      unwatch();
      settle();
    };
    request.addEventListener("load", end(() => resolve(read(request))));
    request.addEventListener("abort", end(() => reject(new NoAnswer("aborted"))));
    request.addEventListener("error", end(() => reject(new NoAnswer("network"))));
    request.addEventListener("timeout", end(() => reject(new NoAnswer("network"))));
  });
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) progress("uploading", event.loaded / event.total, null);
  });
  request.upload.addEventListener("load", () => {
    progress("working", null, null);
    // Not earlier: while the picture goes up there is nothing to tell.
    if (id) unwatch = watch(watched(id), keyHeaders(), (moment) => progress("working", moment.share || null, moment));
  });

  request.open("POST", url);
  for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
  if (id) request.setRequestHeader("X-Progress-Id", id);
  request.responseType = "blob";
  request.send(form(file, pairs));
  return { answer, abort: () => request.abort() };
}

/** The file's name is nobody's business: the server needs only the bytes. */
function form(file, pairs) {
  const data = new FormData();
  data.append("file", file, "picture");
  for (const [name, value] of pairs) {
    if (value instanceof File) data.append(name, value, "picture");
    else data.append(name, value);
  }
  return data;
}

function read(request) {
  return {
    ok: request.status >= 200 && request.status < 300,
    status: request.status,
    body: request.response,
    header: (name) => request.getResponseHeader(name),
  };
}
