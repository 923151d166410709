// The API's documentation, drawn from the server's own OpenAPI document: it cannot say anything else
// than the program does.

const $ = (id) => document.getElementById(id);

/** An element with text and children; `backticks` in a text become code. */
function make(tag, { text = "", className = "", ...rest } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), rest);
  if (className) element.className = className;
  text.split("`").forEach((part, at) => {
    if (at % 2) element.append(make("code", {}, document.createTextNode(part)));
    else if (part) element.append(part);
  });
  element.append(...children);
  return element;
}

async function start() {
  const response = await fetch("openapi.json", { credentials: "same-origin" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const api = await response.json();
  $("about").textContent = `${api.info.title} ${api.info.version}. ${api.info.description}`;
  for (const [title, routes] of grouped(api)) {
    $("contents").append(make("h2", { text: title }));
    for (const route of routes) {
      $("contents").append(make("a", { href: `#${route.id}` }, `${route.method} ${route.path}`));
      $("routes").append(section(route, api));
    }
  }
  $("contents").append(make("h2", { text: "Errors" }), make("a", { href: "#errors" }, "Codes"));
  $("routes").append(errors(api));
  // The section that the address names exists only now.
  if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
}

/** The routes, those that take a picture first. */
function grouped(api) {
  const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation, path, method: method.toUpperCase(), id: `${method}-${operation.operationId}`,
    })));
  const compatible = (route) => /^\/(api|v1\.0)\//.test(route.path);
  const picture = (route) => route.method === "POST";
  return [
    ["Pictures", routes.filter((route) => picture(route) && !compatible(route))],
    ["The service", routes.filter((route) => !picture(route) && !compatible(route))],
    ["For other clients", routes.filter(compatible)],
  ].filter(([, some]) => some.length);
}

function section(route, api) {
  const part = make("section", { className: "route", id: route.id });
  part.append(make("h2", {}, make("span", { text: route.method }), route.path));
  part.append(make("p", { text: route.summary ?? "" }));
  if (route.description) part.append(make("p", { text: route.description }));
  const form = resolved(route.requestBody?.content?.["multipart/form-data"]?.schema, api);
  const fields = fieldsOf(route, form, api);
  if (fields.length) {
    part.append(make("h3", { text: route.method === "POST" ? "Form fields; options may be query parameters as well" : "Query parameters" }));
    part.append(table(["Name", "Takes", "Default", "What"], fields));
  }
  part.append(make("h3", { text: "Answers" }));
  part.append(table(["Status", "What", "Type"], Object.entries(route.responses).map(([status, answer]) => [
    `\`${status}\``, answer.description, Object.keys(answer.content ?? {}).join(", "),
  ])));
  part.append(make("pre", { className: "curl", tabIndex: 0, textContent: curl(route, form) }));
  return part;
}

/** Options come as query parameters and as form fields; each is shown once. */
function fieldsOf(route, form, api) {
  const found = new Map();
  for (const [name, schema] of Object.entries(form?.properties ?? {})) found.set(name, resolved(schema, api));
  for (const entry of route.parameters ?? []) {
    const parameter = resolved(entry, api);
    if (parameter.in !== "query") continue;
    const about = { description: parameter.description, ...resolved(parameter.schema, api) };
    found.set(parameter.name, { ...about, ...found.get(parameter.name) });
  }
  return [...found].map(([name, schema]) => [
    `\`${name}\``, takes(schema), schema.default === undefined ? "" : `\`${schema.default}\``, schema.description ?? "",
  ]);
}

function takes(schema) {
  if (schema.enum) return schema.enum.map((word) => `\`${word}\``).join(", ");
  if (schema.format === "binary") return "a file";
  if (schema.type === "array") return "one or more files";
  const { type, minimum: low, maximum: high } = schema;
  if (type === "boolean") return "`true`, `false`";
  if (type === "string") return schema.examples?.length ? `text, such as \`${schema.examples[0]}\`` : "text";
  const kind = type === "integer" ? "a whole number" : "a number";
  return low === undefined ? kind : `${kind}, ${low} to ${high}`;
}

function resolved(entry, api) {
  if (!entry?.$ref) return entry;
  return entry.$ref.replace(/^#\//, "").split("/").reduce((node, key) => node?.[key], api);
}

function curl({ method, path }, form) {
  const url = new URL(path.slice(1), new URL("./", location.href));
  const file = form?.required?.[0] ?? "file";
  return method === "POST" ? `curl -F ${file}=@photo.jpg ${url} -o answer` : `curl ${url}`;
}

/** The closed list of codes is the description of a problem's `code`: a line each. */
function errors(api) {
  const code = api.components.schemas.Problem.properties.code.description;
  const lines = [...code.matchAll(/^- (`[^`]+`): (.*)$/gm)];
  return make("section", { className: "route", id: "errors" },
    make("h2", { text: "Errors" }),
    make("p", { text: "Every error is `application/problem+json` (RFC 9457). `detail` says the limit, the actual figure and the setting that changes it; nothing that was sent is repeated." }),
    table(["Code", "What"], lines.map(([, name, about]) => [name, about])));
}

function table(heads, rows) {
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { text, scope: "col" }))));
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((text) => make("td", { text })))));
  return make("div", { className: "table" }, make("table", {}, head, body));
}

start().catch(() => { $("failure").hidden = false; });
