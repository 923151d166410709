// One builder for each kind of control: `(control, id, set, limits)` makes the element, and
// `set(value, fault)` tells what it holds now and, in words, why that cannot be sent.

import { checkPicture } from "./files.js";
import { bytes, element } from "./words.js";

const ABSENT = "not installed on this server";

/** Radio buttons, so that the arrow keys work and all choices are seen. */
function radio(control, id, set, [value, label], className = "") {
  const input = element("input", {
    type: "radio", name: id, value, id: `${id}-${value.replaceAll(/[^\w.-]/g, "_")}`, checked: value === control.initial,
    disabled: Boolean(control.missing?.includes(value)),
  });
  input.addEventListener("change", () => set(value));
  return element("label", { title: input.disabled ? `${label}: ${ABSENT}` : "", className }, [input, element("span", { textContent: label })]);
}

/** One of a few. */
function choice(control, id, set) {
  const note = control.missing?.length && control.missing.length === control.values.length - 1;
  return element("fieldset", { id }, [
    element("legend", { textContent: control.label }),
    element("div", { className: "segments" }, control.values.map((value) => radio(control, id, set, value))),
    ...(note ? [element("p", { className: "hint", textContent: `The others are ${ABSENT}.` })] : []),
  ]);
}

/** Nine places of a picture, and what else there is. */
function grid(control, id, set) {
  const places = control.values.slice(0, 9).map((value) => {
    const cell = radio(control, id, set, value, "place");
    cell.title = value[1];
    return cell;
  });
  const rest = control.values.slice(9).map((value) => radio(control, id, set, value));
  return element("fieldset", { id }, [
    element("legend", { textContent: control.label }),
    element("div", { className: "grid" }, [
      element("div", { className: "places" }, places), element("div", { className: "segments" }, rest),
    ]),
  ]);
}

function toggle(control, id, set) {
  const input = element("input", { type: "checkbox", id, checked: control.initial });
  input.addEventListener("change", () => set(input.checked));
  return element("label", { className: "toggle" }, [input, element("span", { textContent: control.label })]);
}

function range(control, id, set) {
  const { min, max, step, initial, unit } = control;
  const input = element("input", { type: "range", id, min, max, step, value: initial });
  const shown = element("output", { htmlFor: id });
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
    element("label", { htmlFor: id, textContent: control.label }), shown, input,
  ]);
}

const ranged = ({ label, min, max, step }) => `${label}: ${step === 1 ? "a whole number" : "a number"} from ${min} to ${max}.`;

/** A number that may be left out. */
function number(control, id, set) {
  const { min, max, step, unit, blank = "" } = control;
  const input = element("input", { type: "number", id, min, max, step: step === 1 ? 1 : "any", placeholder: blank, inputMode: "decimal" });
  input.addEventListener("input", () => {
    const wrong = !input.checkValidity();
    set(wrong || input.value === "" ? control.initial : String(input.valueAsNumber), wrong ? ranged(control) : "");
  });
  return element("div", { className: "number" }, [
    element("label", { htmlFor: id, textContent: unit ? `${control.label} (${unit})` : control.label }), input,
  ]);
}

/** A length in pixels or percent, that may be left out. */
function length(control, id, set) {
  const input = element("input", { type: "number", id, min: 0, max: 65_535, step: "any", placeholder: control.blank, inputMode: "decimal" });
  const unit = element("select", { id: `${id}-unit` }, ["px", "%"].map((value) => element("option", { value, textContent: value })));
  unit.setAttribute("aria-label", `Unit of “${control.label}”`);
  const tell = () => {
    input.max = unit.value === "%" ? 100 : 65_535;
    const wrong = !input.checkValidity();
    const fault = ranged({ ...control, min: 0, max: input.max });
    set(wrong || input.value === "" ? control.initial : `${input.valueAsNumber}${unit.value}`, wrong ? fault : "");
  };
  input.addEventListener("input", tell);
  unit.addEventListener("change", tell);
  return element("div", { className: "number length" }, [element("label", { htmlFor: id, textContent: control.label }), input, unit]);
}

/** A rectangle, in percent of the picture's sides; what is left out reaches to the edge. */
function region(control, id, set) {
  const part = (name) => {
    const input = element("input", { type: "number", id: `${id}-${name}`, min: 0, max: 100, step: "any", inputMode: "decimal" });
    input.placeholder = { left: "0", top: "0" }[name] ?? "all";
    return { name, input };
  };
  const parts = ["left", "top", "width", "height"].map(part);
  const tell = () => {
    const [left, top, width, height] = parts.map(({ input }) => (input.value === "" ? null : input.valueAsNumber));
    const wrong = parts.some(({ input }) => !input.checkValidity());
    const outside = (left ?? 0) + (width ?? 0) > 100 || (top ?? 0) + (height ?? 0) > 100 || width === 0 || height === 0;
    if (wrong || outside) return set(control.initial, `${control.label}: a part that lies in the picture, 0 to 100.`);
    if ([left, top, width, height].every((one) => one === null)) return set(control.initial);
    const sides = [left ?? 0, top ?? 0, width ?? 100 - (left ?? 0), height ?? 100 - (top ?? 0)];
    return set(sides.map((side) => `${side}%`).join(","));
  };
  for (const { input } of parts) input.addEventListener("input", tell);
  return element("fieldset", { id }, [
    element("legend", { textContent: control.label }),
    element("div", { className: "region" }, parts.map(({ name, input }) => element("label", {}, [
      element("span", { textContent: name[0].toUpperCase() + name.slice(1) }), input,
    ]))),
  ]);
}

function colour(control, id, set) {
  const input = element("input", { type: "color", id, value: control.initial });
  const shown = element("output", { htmlFor: id, textContent: control.initial });
  input.addEventListener("input", () => {
    shown.textContent = input.value;
    set(input.value);
  });
  return element("div", { className: "colour" }, [
    element("label", { htmlFor: id, textContent: control.label }), shown, input,
  ]);
}

/** A second picture, checked like the first. */
function picture(control, id, set, limits) {
  const note = element("p", { className: "hint", id: `${id}-note` });
  note.setAttribute("role", "status");
  const input = element("input", { type: "file", id, accept: "image/jpeg,image/png,image/webp" });
  input.setAttribute("aria-describedby", note.id);
  input.addEventListener("change", async () => {
    const file = input.files[0] ?? null;
    const fault = file ? await checkPicture(file, limits) : "";
    // Another one was chosen meanwhile, and is looked at by its own event.
    if ((input.files[0] ?? null) !== file) return;
    if (fault) input.value = "";
    note.textContent = fault || (file ? bytes(file.size) : "");
    set(fault ? null : file);
  });
  return element("div", { className: "picture" }, [
    element("label", { htmlFor: id, textContent: control.label }), input, note,
  ]);
}

/** The installed models of a task, each with its licence. */
function model(control, id, set) {
  const { models, known = 0 } = control;
  const own = models.find((entry) => entry.default);
  const title = ({ name, license, commercial_use: commercial }) =>
    `${name} (${[license, commercial ? "" : "not for commercial use"].filter(Boolean).join(", ")})`;
  const rest = models.filter((entry) => entry !== own);
  const select = element("select", { id }, [
    element("option", { value: "", textContent: own ? title(own) : "The server's own" }),
    ...rest.map((entry) => element("option", { value: entry.name, textContent: title(entry) })),
  ]);
  const about = element("p", { className: "hint", id: `${id}-note` });
  select.setAttribute("aria-describedby", about.id);
  const more = known > models.length ? `${known - models.length} more can be installed by the operator.` : "";
  const say = () => {
    const chosen = models.find(({ name }) => name === select.value) ?? own;
    about.textContent = [chosen?.about, more].filter(Boolean).join(" ");
  };
  select.addEventListener("change", () => {
    say();
    set(select.value);
  });
  say();
  return element("div", { className: "picture" }, [element("label", { htmlFor: id, textContent: control.label }), select, about]);
}

/** Several of a list, or the server's own choice, which greys the list out. */
function steps(control, id, set) {
  const absent = (value) => Boolean(control.missing?.includes(value));
  const chosen = new Set(control.fallback.filter((value) => !absent(value)));
  const hasAuto = control.initial === "auto";
  const auto = element("input", { type: "checkbox", id: `${id}-auto`, checked: hasAuto });
  const boxes = control.values.map(([value, label]) => {
    const box = element("input", { type: "checkbox", id: `${id}-${value}`, checked: chosen.has(value), disabled: absent(value) });
    box.addEventListener("change", () => {
      chosen[box.checked ? "add" : "delete"](value);
      tell();
    });
    const note = absent(value) ? [element("span", { className: "hint", textContent: "not installed" })] : [];
    return element("label", { className: "toggle" }, [box, element("span", { textContent: label }), ...note]);
  });
  const list = element("div", { className: "steps", hidden: hasAuto }, boxes);
  // In the order of the list, which is the order the server documents.
  const tell = () => set(auto.checked ? "auto" : control.values.map(([value]) => value).filter((value) => chosen.has(value)).join(","));
  auto.addEventListener("change", () => {
    list.hidden = auto.checked;
    tell();
  });
  const automatic = element("label", { className: "toggle" }, [auto, element("span", { textContent: "Automatic: only what it needs" })]);
  return element("fieldset", { id }, [
    element("legend", { textContent: control.label }), ...(hasAuto ? [automatic] : []), list,
  ]);
}

export const FIELDS = { choice, grid, toggle, range, number, length, region, colour, picture, model, steps };
