// Holds the page's controls against the server's own document: every option of every operation has a
// control, whose range, choices and default are the server's; and what each control can say is taken.
//
// Sees {options: how many, sent: how many requests, unsent: what was not, since the server lacks a
// model for it or another control says it}.

/** Runs in the page. */
async function compare() {
  const [{ OPERATIONS }, { Options }, { Pipeline }, { loadCatalogue }] = await Promise.all(
    ["operations", "options", "pipeline", "catalogue"].map((name) => import(`/assets/${name}.js`)));
  const api = await (await fetch("openapi.json")).json();
  const catalogue = await loadCatalogue();
  const errors = [];
  const seen = { options: 0, sent: 0, unsent: [] };

  const resolved = (entry) => (entry?.$ref ? entry.$ref.slice(2).split("/").reduce((node, key) => node[key], api) : entry);
  const picture = ["file", "image", "image_file"];
  const works = (path) => path.startsWith("/v1/") && path !== "/v1/batch" && api.paths[path].post;
  for (const path of Object.keys(api.paths).filter(works)) {
    const operation = OPERATIONS.find((one) => one.path === path);
    if (!operation) {
      errors.push(`${path}: not on the page`);
      continue;
    }
    const schemas = new Map();
    for (const parameter of api.paths[path].post.parameters ?? []) {
      const { name, in: place, schema } = resolved(parameter);
      if (place === "query") schemas.set(name, resolved(schema));
    }
    const form = resolved(api.paths[path].post.requestBody?.content["multipart/form-data"]?.schema);
    for (const [name, schema] of Object.entries(form?.properties ?? {})) {
      if (!picture.includes(name)) schemas.set(name, resolved(schema));
    }
    const own = operation.steps ? ["ops", ...operation.steps.flatMap(({ controls }) => controls.map((control) => control.option ?? control.name))] : [];
    for (const [name, schema] of schemas) {
      const controls = operation.controls.filter((control) => (control.option ?? control.name) === name);
      seen.options += 1;
      if (!controls.length && !own.includes(name)) errors.push(`${path}: ${name} has no control`);
      for (const control of controls.filter(({ wire }) => !wire)) agree(`${path}: ${name}`, control, schema);
    }
    // The page hides what an older server does not know; a newer page may name nothing else.
    for (const { option, name } of operation.controls) {
      if (!schemas.has(option ?? name)) errors.push(`${path}: ${name} is no option of the server`);
    }
  }

  function agree(what, control, schema) {
    const { kind, values, min, max, initial, always } = control;
    const expect = (right, about) => right || errors.push(`${what}: ${about}`);
    if (schema.enum && values) {
      const here = values.map(([value]) => value).sort().join();
      expect(here === [...schema.enum].sort().join(), `choices ${here} are not those of the server`);
    }
    if (schema.enum) expect(values, "has choices on the server, and none here");
    if (kind === "range") expect(min === schema.minimum && max === schema.maximum, "another range than the server's");
    if (kind === "number" && schema.minimum !== undefined) expect(min >= schema.minimum && max <= schema.maximum, "a range outside the server's");
    if (kind === "toggle") expect(schema.type === "boolean", "not a flag on the server");
    // Blank stands for what the server does where nothing is said.
    const blank = initial === "" || initial === null;
    expect(always || blank || String(schema.default) === String(initial), `${initial} is not the default ${schema.default}`);
  }

  // What each control can say, sent: `set` makes it say something else than at first.
  const canvas = new OffscreenCanvas(48, 40);
  canvas.getContext("2d").fillRect(8, 8, 20, 20);
  const small = new File([await canvas.convertToBlob({ type: "image/png" })], "small.png", { type: "image/png" });
  const fire = (input, ...events) => events.forEach((event) => input.dispatchEvent(new Event(event, { bubbles: true })));
  const fill = (input, value) => {
    input.value = value;
    fire(input, "input", "change");
  };
  const press = (input) => input && !input.disabled && (input.click(), true);
  const sayings = (row, { kind, values, initial, max, min }) => {
    const inputs = [...row.querySelectorAll("input")];
    switch (kind) {
      case "choice": case "grid": {
        const others = values.map(([value]) => value).filter((value) => value !== initial);
        return others.map((value) => () => press(inputs.find((input) => input.value === value)));
      }
      case "toggle": return [() => press(row.querySelector("input"))];
      case "range": return [min, max].filter((value) => value !== initial).map((value) => () => fill(inputs[0], value));
      case "number": return [() => fill(inputs[0], Math.min(max, 40))];
      case "length": return [() => fill(inputs[0], 3), () => (fill(inputs[0], 3), fill(row.querySelector("select"), "%"))];
      case "region": return [() => fill(inputs[0], 10), () => (fill(inputs[2], 50), fill(inputs[3], 60))];
      case "colour": return [() => fill(inputs[0], "#336699")];
      case "picture": return [() => {
        const list = new DataTransfer();
        list.items.add(small);
        inputs[0].files = list.files;
        fire(inputs[0], "change");
      }];
      case "model": return [...row.querySelectorAll("option:enabled")].filter(({ value }) => value).map(({ value }) => () => fill(row.querySelector("select"), value));
      case "steps": return inputs.slice(1).filter(({ disabled }) => !disabled).map((input) => () => press(inputs[0]) && inputs.slice(1).forEach((box) => box.checked !== (box === input) && press(box)));
      default: throw new Error(`a control of kind ${kind}`);
    }
  };

  const limits = { bytes: 1e8, formats: ["png"] };
  const make = (operation) => {
    // In the document, because elsewhere a click on a box changes nothing.
    const box = document.createElement("div");
    document.getElementById("tried")?.remove();
    document.body.append(Object.assign(box, { id: "tried", hidden: true }));
    const options = new Options(box, operation, { limits, onChange: () => {} });
    return { options, row: (name) => [...box.querySelectorAll(".control")][order(operation).indexOf(name)] };
  };
  const order = ({ controls }) => [...controls.filter(({ more }) => !more), ...controls.filter(({ more }) => more)].map(({ name }) => name);
  const says = (options, name) => options.pairs().some(([said]) => said === name);
  // A picture is looked at before it is taken.
  const settled = ({ kind }) => (kind === "picture" ? new Promise((resolve) => { setTimeout(resolve, 20); }) : null);

  /** What is needed before some controls of an operation mean anything. */
  const FIRST = { transform: ["width", "height"] };

  /** Makes `control` say its `at`-th thing, with the help of at most one other control beside those. */
  async function reach(operation, control, at) {
    const name = control.option ?? control.name;
    const say = async ({ row }, { name: of }, way) => {
      const one = operation.controls.find((other) => other.name === of);
      sayings(row(of), one)[way]();
      await settled(one);
    };
    const tried = async (before) => {
      const made = make(operation);
      for (const [helper, way] of before) await say(made, helper, way);
      const hidden = made.row(control.name).hidden;
      const helped = JSON.stringify(made.options.pairs());
      await say(made, control, at);
      const said = says(made.options, name) && JSON.stringify(made.options.pairs()) !== helped;
      return !hidden && said && !made.options.problem() ? made.options : null;
    };
    const others = operation.controls.filter((other) => other !== control);
    const helpers = others.flatMap((other) => sayings(make(operation).row(other.name), other).map((_, way) => [other, way]));
    const first = others.filter((other) => FIRST[operation.id]?.includes(other.name)).map((other) => [other, 0]);
    for (const before of [[], first, ...helpers.map((helper) => [helper]), ...helpers.map((helper) => [...first, helper])]) {
      const options = await tried(before);
      if (options) return options;
    }
    return null;
  }

  async function post(path, pairs) {
    const form = new FormData();
    form.append("file", small, "picture");
    for (const [name, value] of pairs) form.append(name, value);
    const answer = await fetch(path, { method: "POST", body: form });
    seen.sent += 1;
    if (answer.ok) return "";
    const { code, detail } = await answer.json();
    return { code, text: `${answer.status}: ${detail}` };
  }

  // How a result is written is the same for all: it is enough to send that with the cheapest.
  const lines = catalogue.operations().find(({ steps }) => steps);
  const writing = new Set(lines?.controls.map(({ name }) => name));
  for (const operation of catalogue.operations().filter(({ steps }) => !steps)) {
    for (const control of operation.controls.filter(({ name }) => operation.id === "transform" || !writing.has(name))) {
      const ways = sayings(make(operation).row(control.name), control);
      if (!ways.length) seen.unsent.push(`${operation.id}: ${control.name}`);
      // Steps whose models are missing cannot be chosen.
      if (control.kind === "steps") seen.unsent.push(...control.missing.map((step) => `${operation.id}: ${control.name} (${step})`));
      for (let at = 0; at < ways.length; at += 1) {
        const what = `${operation.id}: ${control.name} (${at + 1})`;
        const options = await reach(operation, control, at);
        const missing = control.missing?.length;
        // What needs a picture is said by the control for that picture.
        if (!options && (missing || (control.wire && control.kind === "choice"))) seen.unsent.push(what);
        else if (!options) errors.push(`${what}: cannot be said`);
        else {
          const fault = await post(operation.path.slice(1), options.pairs());
          // Nothing can be found in this picture; and a model may not be there.
          if (["step_missing", "model_missing"].includes(fault.code)) seen.unsent.push(what);
          else if (fault && fault.code !== "nothing_found") errors.push(`${what}: ${JSON.stringify(options.pairs())}: ${fault.text}`);
        }
      }
    }
  }
  if (lines) {
    const pipeline = new Pipeline(document.createElement("div"), lines, { limits, onChange: () => {} });
    const fault = await post(lines.path.slice(1), pipeline.pairs());
    if (fault) errors.push(`pipeline: ${fault.text}`);
  }
  return { ...seen, errors };
}

export default async function controls(visitor) {
  // All of it takes longer than one answer of the browser may.
  await visitor.see(`void (${compare})().then((seen) => { window.compared = seen; }, (error) => { window.compared = { errors: [String(error?.stack ?? error)] }; })`);
  await visitor.until("!!window.compared", "all is compared", 100_000);
  const { errors, ...seen } = await visitor.see("window.compared");
  visitor.seen.errors = [...visitor.seen.errors.filter((error) => !error.includes("422")), ...errors];
  return seen;
}
