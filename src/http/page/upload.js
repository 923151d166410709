// One request: the picture goes up, the answer comes back, and it can be stopped on the way.
// XMLHttpRequest, because fetch does not report how much of a body was sent.

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
 * `on.progress(phase, fraction)`: phase "uploading" with 0..1, then "working" with null for as long as
 * nothing is known of the work itself. A stream of the server's progress would report here too.
 * `abort()` closes the connection, which is what tells the server to stop.
 */
export function send(url, file, pairs, on) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    request.addEventListener("load", () => resolve(read(request)));
    request.addEventListener("abort", () => reject(new NoAnswer("aborted")));
    request.addEventListener("error", () => reject(new NoAnswer("network")));
    request.addEventListener("timeout", () => reject(new NoAnswer("network")));
  });
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) on.progress("uploading", event.loaded / event.total);
  });
  request.upload.addEventListener("load", () => on.progress("working", null));

  request.open("POST", url);
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
