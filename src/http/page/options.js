// Controls made from their descriptions (operations.js), and what they say when it is time to send.

import { bytes, element } from "./words.js";
import { checkPicture } from "./files.js";

/** The options of one operation: builds the controls into `container`, reports changes. */
export class Options {
  #controls;
  #values = {};
  #rows = new Map();
  #limit;
  #onChange;

  constructor(container, operation, limit, onChange) {
    this.#controls = operation.controls;
    this.#limit = limit;
    this.#onChange = onChange;
    for (const control of this.#controls) this.#values[control.name] = control.initial;
    container.replaceChildren(...this.#controls.map((control) => this.#row(control)));
    this.#showRelevant();
  }

  get values() {
    return { ...this.#values };
  }

  /** The [name, value] pairs of a request; a value is text or a file. */
  pairs() {
    return this.#controls.filter((control) => this.#relevant(control)).flatMap((control) => {
      const value = this.#values[control.name];
      if (control.wire) return control.wire(value, this.#values);
      return value === control.initial ? [] : [[control.name, String(value)]];
    });
  }

  /** Why these options cannot be sent yet, in words; empty if they can. */
  problem() {
    const open = this.#controls.find(
      (control) => control.required && this.#relevant(control) && !this.#values[control.name],
    );
    return open ? open.required : "";
  }

  /** A control is in force when its own condition holds and those of the controls it builds on. */
  #relevant(control) {
    const parent = this.#controls.find((other) => other !== control && other.name === control.option);
    return (!control.when || control.when(this.#values)) && (!parent?.when || parent.when(this.#values));
  }

  #set(control, value) {
    this.#values[control.name] = value;
    this.#showRelevant();
    this.#onChange();
  }

  #showRelevant() {
    for (const control of this.#controls) this.#rows.get(control.name).hidden = !this.#relevant(control);
  }

  #row(control) {
    const row = BUILD[control.kind](control, (value) => this.#set(control, value), this.#limit);
    row.classList.add("control");
    this.#rows.set(control.name, row);
    return row;
  }
}

const id = (control) => `opt-${control.name}`;

/** One of a few: radio buttons, so that the arrow keys work and all choices are seen. */
function choice(control, set) {
  const options = control.values.map(([value, label]) => {
    const input = element("input", {
      type: "radio", name: control.name, value, id: `${id(control)}-${value}`, checked: value === control.initial,
    });
    input.addEventListener("change", () => set(value));
    return element("label", {}, [input, element("span", { textContent: label })]);
  });
  return element("fieldset", { id: id(control) }, [
    element("legend", { textContent: control.label }),
    element("div", { className: "segments" }, options),
  ]);
}

function toggle(control, set) {
  const input = element("input", { type: "checkbox", id: id(control), checked: control.initial });
  input.addEventListener("change", () => set(input.checked));
  return element("label", { className: "toggle" }, [input, element("span", { textContent: control.label })]);
}

function range(control, set) {
  const { min, max, step, initial, unit } = control;
  const input = element("input", { type: "range", id: id(control), min, max, step, value: initial });
  const shown = element("output", { htmlFor: id(control) });
  const say = () => {
    const text = unit ? `${input.value} ${unit}` : input.value;
    shown.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    say();
    set(Number(input.value));
  });
  say();
  return element("div", { className: "range" }, [
    element("label", { htmlFor: id(control), textContent: control.label }), shown, input,
  ]);
}

/** A number that may be left out. */
function number(control, set) {
  const { min, max, unit } = control;
  const input = element("input", { type: "number", id: id(control), min, max, step: 1, placeholder: "as it is" });
  input.addEventListener("input", () => {
    set(input.value === "" || !input.checkValidity() ? control.initial : String(input.valueAsNumber));
  });
  return element("div", { className: "number" }, [
    element("label", { htmlFor: id(control), textContent: unit ? `${control.label} (${unit})` : control.label }), input,
  ]);
}

function colour(control, set) {
  const input = element("input", { type: "color", id: id(control), value: control.initial });
  const shown = element("output", { htmlFor: id(control), textContent: control.initial });
  input.addEventListener("input", () => {
    shown.textContent = input.value;
    set(input.value);
  });
  return element("div", { className: "colour" }, [
    element("label", { htmlFor: id(control), textContent: control.label }), shown, input,
  ]);
}

/** A second picture, checked like the first. */
function picture(control, set, limit) {
  const note = element("p", { className: "hint", id: `${id(control)}-note` });
  note.setAttribute("role", "status");
  const input = element("input", { type: "file", id: id(control), accept: "image/jpeg,image/png,image/webp" });
  input.setAttribute("aria-describedby", note.id);
  input.addEventListener("change", async () => {
    const file = input.files[0] ?? null;
    const fault = file ? await checkPicture(file, limit) : "";
    if (fault) input.value = "";
    note.textContent = fault || (file ? bytes(file.size) : "");
    set(fault ? null : file);
  });
  return element("div", { className: "picture" }, [
    element("label", { htmlFor: id(control), textContent: control.label }), input, note,
  ]);
}

/** Several of a list, or the server's own choice, which greys the list out. */
function steps(control, set) {
  const chosen = new Set(control.fallback);
  const hasAuto = control.initial === "auto";
  const auto = element("input", { type: "checkbox", id: `${id(control)}-auto`, checked: hasAuto });
  const boxes = control.values.map(([value, label]) => {
    const box = element("input", { type: "checkbox", id: `${id(control)}-${value}`, checked: chosen.has(value), disabled: hasAuto });
    box.addEventListener("change", () => {
      chosen[box.checked ? "add" : "delete"](value);
      tell();
    });
    return element("label", { className: "toggle" }, [box, element("span", { textContent: label })]);
  });
  // In the order of the list, which is the order the server documents.
  const tell = () => set(auto.checked ? "auto" : control.values.map(([value]) => value).filter((value) => chosen.has(value)).join(","));
  auto.addEventListener("change", () => {
    for (const label of boxes) label.querySelector("input").disabled = auto.checked;
    tell();
  });
  const automatic = element("label", { className: "toggle" }, [auto, element("span", { textContent: "Automatic: what the picture needs" })]);
  return element("fieldset", { id: id(control) }, [
    element("legend", { textContent: control.label }), ...(hasAuto ? [automatic] : []),
    element("div", { className: "steps" }, boxes),
  ]);
}

const BUILD = { choice, toggle, range, number, colour, picture, steps };
