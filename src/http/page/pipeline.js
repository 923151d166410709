// A list of operations for one request: steps that can be added, removed and moved. Seen from app.js
// it is a set of options like any other.

import { Options } from "./options.js";
import { element } from "./words.js";

const MOST_STEPS = 10;
const FIRST_STEPS = ["remove-background", "transform"];

export class Pipeline {
  #kinds;
  #steps = [];
  #output;
  #context;
  #made = 0;
  #list = element("ol", { className: "pipeline" });
  #adders;
  #said = element("p", { className: "unseen" });

  constructor(container, operation, context) {
    this.#kinds = operation.steps;
    this.#context = context;
    this.#said.setAttribute("role", "status");
    this.#adders = this.#kinds.map((kind) => {
      const button = element("button", { type: "button", textContent: `+ ${kind.title}` });
      button.setAttribute("aria-label", `Add a step: ${kind.title}`);
      button.addEventListener("click", () => this.#add(kind));
      return button;
    });
    const adders = element("div", { className: "adders" }, this.#adders);
    const output = element("div", { className: "controls" });
    this.#output = new Options(output, operation, { ...context, prefix: "out-" });
    container.replaceChildren(
      element("fieldset", {}, [element("legend", { textContent: "Steps, one after another" }), this.#list, adders, this.#said]),
      output,
    );
    const first = this.#kinds.filter(({ id }) => FIRST_STEPS.includes(id));
    for (const kind of first.length ? first : this.#kinds.slice(0, 1)) this.#insert(kind);
    this.#show();
  }

  get values() {
    const filled = (step) => step.kind.id === "transform" && step.options.values.flatten;
    const clear = (step) => step.kind.transparent?.(step.options.values);
    const last = this.#steps.findLast((step) => filled(step) || clear(step));
    return {
      ...this.#output.values,
      output: this.#steps.at(-1)?.options.values.output,
      transparent: Boolean(last && !filled(last)),
      steps: this.#steps.length,
    };
  }

  pairs() {
    const files = [];
    const ops = this.#steps.map(({ kind, options }) => {
      const op = { op: kind.id };
      for (const [name, value] of options.pairs()) {
        if (value instanceof File) files.push([name, value]);
        else op[name] = plain(value);
      }
      return op;
    });
    return [["ops", JSON.stringify(ops)], ...files, ...this.#output.pairs()];
  }

  problem() {
    if (!this.#steps.length) return "Add a step first.";
    const at = this.#steps.findIndex(({ options }) => options.problem());
    if (at >= 0) return `Step ${at + 1}: ${this.#steps[at].options.problem()}`;
    const early = this.#steps.slice(0, -1).findIndex(({ options }) => options.values.output === "both");
    if (early >= 0) return `Step ${early + 1}: “Both” is possible only in the last step.`;
    return this.#fileProblem() || this.#output.problem();
  }

  /** The server gives a further picture to the last step that can take it. */
  #fileProblem() {
    const brings = ({ options }) => options.pairs().some(([, value]) => value instanceof File);
    const wrong = this.#steps.findIndex((step, at) => brings(step) && this.#steps.slice(at + 1).some(({ kind }) => kind === step.kind));
    return wrong < 0 ? "" : `Step ${wrong + 1}: only the last “${this.#steps[wrong].kind.title}” can bring a picture.`;
  }

  #add(kind) {
    const step = this.#insert(kind);
    step.details.open = true;
    this.#changed(`${kind.title} added as step ${this.#steps.length}.`);
    step.details.querySelector("summary").focus();
  }

  #insert(kind) {
    const box = element("div", { className: "controls" });
    const context = { ...this.#context, prefix: `step${this.#made += 1}-` };
    const step = { kind, options: new Options(box, kind, context), title: element("span") };
    const button = (text, className, act) => {
      const made = element("button", { type: "button", textContent: text, className });
      made.addEventListener("click", act);
      return made;
    };
    step.up = button("↑", "icon", () => this.#move(step, -1, step.up));
    step.down = button("↓", "icon", () => this.#move(step, 1, step.down));
    step.out = button("×", "icon", () => this.#remove(step));
    step.details = element("details", {}, [element("summary", {}, [step.title]), box]);
    step.line = element("li", {}, [step.details, element("div", { className: "step-buttons" }, [step.up, step.down, step.out])]);
    this.#steps.push(step);
    return step;
  }

  /** Moves a step one place; the focus stays where the next press does the same. */
  #move(step, by, button) {
    const from = this.#steps.indexOf(step);
    this.#steps.splice(from, 1);
    this.#steps.splice(from + by, 0, step);
    this.#changed(`${step.kind.title} is now step ${from + by + 1} of ${this.#steps.length}.`);
    (button.disabled ? (button === step.up ? step.down : step.up) : button).focus();
  }

  #remove(step) {
    const at = this.#steps.indexOf(step);
    this.#steps.splice(at, 1);
    this.#changed(`${step.kind.title} removed.`);
    (this.#steps[Math.min(at, this.#steps.length - 1)]?.out ?? this.#adders[0]).focus();
  }

  #changed(text) {
    this.#said.textContent = text;
    this.#show();
    this.#context.onChange();
  }

  #show() {
    const last = this.#steps.length - 1;
    this.#steps.forEach((step, at) => {
      const name = `${at + 1}. ${step.kind.title}`;
      step.title.textContent = name;
      Object.assign(step.up, { disabled: at === 0, ariaLabel: `Move step ${name} up` });
      Object.assign(step.down, { disabled: at === last, ariaLabel: `Move step ${name} down` });
      step.out.ariaLabel = `Remove step ${name}`;
    });
    const lines = this.#steps.map(({ line }) => line);
    if (lines.some((line, at) => line !== this.#list.children[at]) || lines.length !== this.#list.children.length) {
      this.#list.replaceChildren(...lines);
    }
    for (const button of this.#adders) button.disabled = this.#steps.length >= MOST_STEPS;
  }
}

/** A value as JSON writes it: flags and numbers bare. */
function plain(value) {
  if (value === "true" || value === "false") return value === "true";
  return value !== "" && String(Number(value)) === value ? Number(value) : value;
}
