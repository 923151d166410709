// The options of one operation: controls made from their descriptions (operations.js), and what they
// say when it is time to send.

import { FIELDS } from "./fields.js";
import { element } from "./words.js";

/** Builds the controls into `container`. `context`: limits, the prefix of ids, and who hears of changes. */
export class Options {
  #controls;
  #values = {};
  #faults = new Map();
  #rows = new Map();
  #more;
  #context;

  constructor(container, operation, context) {
    this.#controls = operation.controls;
    this.#context = context;
    for (const control of this.#controls) this.#values[control.name] = control.initial;
    const plain = this.#controls.filter(({ more }) => !more).map((control) => this.#row(control));
    const rare = this.#controls.filter(({ more }) => more).map((control) => this.#row(control));
    const count = element("span", { className: "count" });
    const summary = element("summary", {}, [element("span", { textContent: "More options" }), count]);
    const details = element("details", { className: "more" }, [summary, element("div", { className: "controls" }, rare)]);
    this.#more = { details, count };
    container.replaceChildren(...plain, details);
    this.#show();
  }

  get values() {
    return { ...this.#values };
  }

  /** The [name, value] pairs of a request; a value is text or a file. */
  pairs() {
    return this.#controls.filter((control) => this.#relevant(control)).flatMap((control) => this.#wired(control));
  }

  #wired(control) {
    const value = this.#values[control.name];
    if (control.wire) return control.wire(value, this.#values);
    if (value === control.initial && !control.always) return [];
    return [[control.option ?? control.name, value instanceof File ? value : String(value)]];
  }

  /** Why these options cannot be sent yet, in words; empty if they can. */
  problem() {
    for (const control of this.#controls.filter((one) => this.#relevant(one))) {
      if (this.#faults.get(control.name)) return this.#faults.get(control.name);
      if (control.required && !this.#values[control.name]) return control.required;
      const fault = control.fault?.(this.#values[control.name], this.#values);
      if (fault) return fault;
    }
    return "";
  }

  /** A control is in force when its own condition holds and those of the controls it builds on. */
  #relevant(control) {
    const parent = this.#controls.find((other) => other !== control && other.name === control.option);
    return (!control.when || control.when(this.#values)) && (!parent?.when || parent.when(this.#values));
  }

  #set(control, value, fault) {
    this.#values[control.name] = value;
    this.#faults.set(control.name, fault);
    this.#show();
    this.#context.onChange();
  }

  #show() {
    for (const control of this.#controls) this.#rows.get(control.name).hidden = !this.#relevant(control);
    const rare = this.#controls.filter((control) => control.more && this.#relevant(control));
    const set = rare.filter(({ name, initial }) => this.#values[name] !== initial).length;
    this.#more.details.hidden = rare.length === 0;
    this.#more.count.textContent = set ? `${set} set` : "";
  }

  #row(control) {
    const id = `opt-${this.#context.prefix ?? ""}${control.name}`;
    const row = FIELDS[control.kind](control, id, (value, fault = "") => this.#set(control, value, fault), this.#context.limits);
    row.classList.add("control");
    this.#rows.set(control.name, row);
    return row;
  }
}
