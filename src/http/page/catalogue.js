// What this server can do, read from its own OpenAPI document: paths, options, limits.

import { OPERATIONS } from "./operations.js";

const DEFAULT_MAX_UPLOAD = 24 * 1024 * 1024;
const PICTURE_FIELDS = ["file", "image", "image_file"];

/** Asks once, at start. A server that does not answer is taken for one that removes backgrounds. */
export async function loadCatalogue() {
  try {
    const response = await fetch("openapi.json", { credentials: "same-origin" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Catalogue(await response.json());
  } catch {
    return new Catalogue({ paths: { "/v1/remove-background": {} } });
  }
}

class Catalogue {
  #document;

  constructor(document) {
    this.#document = document;
  }

  /** Whether the server gave its document at all. */
  get published() {
    return Boolean(this.#document.openapi);
  }

  has(path) {
    return Object.hasOwn(this.#document.paths ?? {}, path);
  }

  /** The operations to show, each with the controls this server knows. Never empty. */
  operations() {
    const offered = OPERATIONS.filter((operation) => this.has(operation.path));
    return (offered.length ? offered : OPERATIONS.slice(0, 1)).map((operation) => this.#narrow(operation));
  }

  /** Bytes a picture may have: the server's figure where its document carries it. */
  maxUpload() {
    const stated = Number(this.#document["x-limits"]?.max_upload_bytes);
    return stated > 0 ? stated : DEFAULT_MAX_UPLOAD;
  }

  /** An unknown option is an error on the server, so a control for one is not shown. */
  #narrow(operation) {
    const options = this.#options(operation.path);
    if (!options.size) return { ...operation, controls: operation.controls.map((control) => described(control, "")) };
    const controls = operation.controls
      .filter((control) => options.has(control.option ?? control.name))
      .map((control) => described(control, JSON.stringify(options.get(control.option ?? control.name))));
    return { ...operation, controls };
  }

  /** Option name to what the document says of it; empty where it says nothing about options. */
  #options(path) {
    const post = this.#document.paths?.[path]?.post ?? {};
    const found = new Map();
    for (const parameter of post.parameters ?? []) {
      const entry = this.#resolve(parameter);
      if (entry.in === "query") found.set(entry.name, { ...entry, schema: this.#resolve(entry.schema) });
    }
    const form = post.requestBody?.content?.["multipart/form-data"]?.schema;
    this.#collect(form, found, 0);
    for (const field of PICTURE_FIELDS) found.delete(field);
    return found;
  }

  #collect(schema, found, depth) {
    const entry = this.#resolve(schema);
    if (!entry || depth > 4) return;
    for (const part of entry.allOf ?? []) this.#collect(part, found, depth + 1);
    for (const [name, value] of Object.entries(entry.properties ?? {})) {
      found.set(name, { ...found.get(name), form: { ...value, ...this.#resolve(value) } });
    }
  }

  #resolve(entry) {
    if (!entry?.$ref) return entry;
    const path = entry.$ref.replace(/^#\//, "").split("/");
    return path.reduce((node, key) => node?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], this.#document);
  }
}

/** Keeps, of a list of steps, those that the server's own words name. */
function described(control, text) {
  if (control.kind !== "steps") return control;
  const names = (word) => new RegExp(`\\b${word}\\b`).test(text);
  const values = control.values.filter(([value]) => control.fallback.includes(value) || names(value));
  return { ...control, values, initial: names("auto") ? "auto" : control.fallback.join(",") };
}
