// What this server can do, read from its own documents: paths, options, limits, models.

import { OPERATIONS } from "./operations.js";

const DEFAULT_MAX_UPLOAD = 24 * 1024 * 1024;
const DEFAULT_FORMATS = ["jpeg", "png", "webp"];
const PICTURE_FIELDS = ["file", "image", "image_file"];
const PROGRESS = "/v1/progress/{id}";

/** Asks once, at start. A server that does not answer is taken for one that removes backgrounds. */
export async function loadCatalogue() {
  const [api, models, privacy, about] = await Promise.all([
    read(fetch("openapi.json")), read(fetch("v1/models")), read(fetch("v1/privacy")), read(fetch("v1/transparency")),
  ]);
  return new Catalogue(api ?? { paths: { "/v1/remove-background": {} } }, models?.models ?? null, privacy, about);
}

/** The JSON of an answer; null where none came. */
async function read(asked) {
  try {
    const answer = await asked;
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

class Catalogue {
  #document;
  #models;

  constructor(document, models, privacy, about) {
    this.#document = document;
    this.#models = models;
    const most = Number(privacy?.figures?.picture_bytes_at_most);
    const formats = about?.modes?.formats;
    /** What may be sent: bytes of a picture, and formats by name. */
    this.limits = {
      bytes: most > 0 ? most : DEFAULT_MAX_UPLOAD,
      formats: Array.isArray(formats) && formats.length ? formats : DEFAULT_FORMATS,
    };
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

  /** An unknown option is an error on the server, so a control for one is not shown. */
  #narrow(operation) {
    const { options, headers } = this.#asked(operation.path);
    const controls = operation.controls
      .filter((control) => !options.size || options.has(control.option ?? control.name))
      .map((control) => this.#installed(described(control, options)));
    const watched = this.has(PROGRESS) && headers.has("x-progress-id");
    const steps = operation.steps?.filter(({ path }) => this.has(path)).map((step) => this.#narrow(step));
    return { ...operation, controls, watched, ...(steps ? { steps } : {}) };
  }

  /** Marks what no model is installed for, and lists the models where one can be chosen. */
  #installed(control) {
    if (!this.#models) return control.kind === "model" ? { ...control, models: [] } : control;
    const installed = this.#models.filter((model) => model.installed ?? model.loaded);
    if (control.kind === "model") {
      const fits = ({ task }) => task === control.task;
      return { ...control, models: installed.filter(fits), known: this.#models.filter(fits).length };
    }
    const ready = ([task, factor]) => installed.some((model) => model.task === task && (!factor || (model.factor ?? factor) === factor));
    const missing = Object.entries(control.needs ?? {}).filter(([, needs]) => !needs.every(ready)).map(([value]) => value);
    return { ...control, missing };
  }

  /** Option name to what the document says of it (empty where it says nothing), and the headers. */
  #asked(path) {
    const post = this.#document.paths?.[path]?.post ?? {};
    const [options, headers] = [new Map(), new Set()];
    for (const parameter of post.parameters ?? []) {
      const entry = this.#resolve(parameter);
      if (entry.in === "query") options.set(entry.name, { ...entry, schema: this.#resolve(entry.schema) });
      if (entry.in === "header") headers.add(entry.name.toLowerCase());
    }
    const form = this.#resolve(post.requestBody?.content?.["multipart/form-data"]?.schema);
    for (const [name, value] of Object.entries(form?.properties ?? {})) {
      options.set(name, { ...options.get(name), form: { ...value, ...this.#resolve(value) } });
    }
    for (const field of PICTURE_FIELDS) options.delete(field);
    return { options, headers };
  }

  #resolve(entry) {
    if (!entry?.$ref) return entry;
    const path = entry.$ref.replace(/^#\//, "").split("/");
    return path.reduce((node, key) => node?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], this.#document);
  }
}

/** Keeps, of a list of steps, those that the server's own words name. */
function described(control, options) {
  if (control.kind !== "steps") return control;
  const text = JSON.stringify(options.get(control.name) ?? "");
  const names = (word) => new RegExp(`\\b${word}\\b`).test(text);
  const values = control.values.filter(([value]) => control.fallback.includes(value) || names(value));
  return { ...control, values, initial: names("auto") ? "auto" : control.fallback.join(",") };
}
