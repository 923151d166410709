// Looks at the page in both themes, on a desk and on a phone, with the keyboard and as a screen reader
// does. Sees {bytes: of its own files, shift, stops: of the tab key, controls: named}.

import * as audit from "./audit.mjs";

const CONTROLS = new Set([
  "button", "link", "textbox", "slider", "checkbox", "radio", "radiogroup", "combobox", "spinbutton", "tab", "ColorWell", "progressbar",
  "dialog", "image", "DisclosureTriangle", "tabpanel", "group", "searchbox", "listbox",
]);
// A group without a name says nothing more than its content does.
const NAMELESS = new Set(["group", "DisclosureTriangle"]);
const OPERATIONS = ["remove-background", "restore", "enhance", "transform", "pipeline", "inspect"];

/** Every control has a name that can be read out. */
async function named(visitor, where) {
  await visitor.call("Accessibility.enable");
  const { nodes } = await visitor.call("Accessibility.getFullAXTree");
  const controls = nodes.filter(({ ignored, role }) => !ignored && CONTROLS.has(role?.value));
  for (const { role, name } of controls) {
    visitor.expect(name?.value?.trim() || NAMELESS.has(role.value), `${where}: a ${role.value} without a name`);
  }
  return controls.length;
}

/** The tab key reaches everything, from the top down, and one sees where it is. */
async function stops(visitor, where) {
  await visitor.see(`document.activeElement?.blur(), scrollTo(0, 0)`);
  const names = [];
  for (let count = 0; count < 200; count += 1) {
    await visitor.press("Tab");
    const stop = await visitor.see(`(${audit.focused})()`);
    if (!stop || (names.length && stop.name === names[0])) break;
    names.push(stop.name);
    visitor.expect(stop.ring, `${where}: ${stop.name} does not show its focus`);
  }
  return names;
}

async function check(visitor, name, where) {
  for (const fault of await visitor.see(`(${audit[name]})()`)) visitor.expect(false, `${where}: ${name}: ${fault}`);
}

async function everyTab(visitor, each) {
  for (const operation of OPERATIONS) {
    if (!await visitor.see(`!!document.getElementById("tab-${operation}")`)) continue;
    await visitor.tab(operation);
    await visitor.see(`document.querySelectorAll("#controls details").forEach((more) => { more.open = true; })`);
    await each(operation);
  }
}

async function notice(visitor, privacy) {
  await visitor.see(`document.getElementById("privacy").focus()`);
  await visitor.press("Enter");
  await visitor.until(`document.querySelectorAll(".notice-text li").length > 5`, "the notice");
  const plain = (text) => text.replaceAll(/[#`*\s-]+/g, " ").trim();
  const shown = plain(await visitor.see(`document.querySelector(".notice-text").textContent`)).replaceAll(" ", "");
  visitor.expect(shown === plain(privacy).replaceAll(" ", ""), "the notice is the server's, word by word");
  visitor.expect(await visitor.see(`document.getElementById("notice").matches(":modal")`), "the notice is a dialog");
  await named(visitor, "notice");
  await check(visitor, "faint", "notice");
  await visitor.shoot("notice");
  await visitor.press("Escape");
  visitor.expect(await visitor.see(`!document.getElementById("notice").open && document.activeElement.id === "privacy"`),
    "Escape closes the notice, and the focus is where it was");
  await visitor.see(`document.getElementById("privacy").click()`);
  await visitor.click(".notice-end button");
  visitor.expect(await visitor.see(`!document.getElementById("notice").open`), "the button closes the notice");
}

async function motion(visitor) {
  const count = `(() => {
    const bar = document.getElementById("progress");
    bar.hidden = false;
    const running = document.getAnimations().length;
    bar.hidden = true;
    return running;
  })()`;
  visitor.expect(await visitor.see(count) > 0, "the bar moves");
  await visitor.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-reduced-motion", value: "reduce" }] });
  visitor.expect(await visitor.see(count) === 0, "nothing moves for who wants no motion");
}

export default async function looks(visitor, picture) {
  const shift = await visitor.see(`(${audit.shifted})()`);
  visitor.expect(shift.score < 0.01, `${JSON.stringify(shift)} moved by itself`);
  await check(visitor, "head", "desk");
  const bytes = await visitor.see(`performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
    .filter(({ name }) => new URL(name).pathname === "/" || name.includes("/assets/")).reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)`);
  await motion(visitor);
  await visitor.theme("dark");
  await visitor.shoot("desk-dark");
  await visitor.theme("light");
  await visitor.shoot("desk-light");
  const privacy = await visitor.see(`fetch("v1/privacy", { headers: { Accept: "text/markdown" } }).then((answer) => answer.text())`);
  await notice(visitor, privacy);

  await visitor.choose([picture]);
  visitor.expect(await visitor.result() === "done", "the picture is done");
  await visitor.see(`document.getElementById("copy-curl").click()`);
  let controls = 0;
  const reached = new Set();
  await everyTab(visitor, async (operation) => {
    controls += await named(visitor, operation);
    const names = await stops(visitor, operation);
    for (const name of names) reached.add(name);
    visitor.expect(names.length >= 6, `${operation}: the tab key stops at ${names.length} places`);
    for (const theme of ["dark", "light"]) {
      await visitor.theme(theme);
      await check(visitor, "faint", `${operation}, ${theme}`);
    }
    await visitor.theme("dark");
    await visitor.shoot(`desk-${operation}`, true);
  });
  for (const name of ["file", "compare", "download", "copy-curl", "run", "privacy"]) visitor.expect(reached.has(name), `the tab key never reaches ${name}`);

  await visitor.phone();
  await everyTab(visitor, async (operation) => {
    await check(visitor, "wide", `${operation} on a phone`);
    await check(visitor, "small", `${operation} on a phone`);
    await visitor.shoot(`phone-${operation}`, true);
  });
  const fresh = await visitor.another();
  await fresh.phone();
  await fresh.call("Page.reload");
  await fresh.until(`!!document.querySelector("[role=tab]")`, "the page on a phone");
  const phone = await fresh.see(`(${audit.shifted})()`);
  visitor.expect(phone.score < 0.01, `${JSON.stringify(phone)} moved by itself on a phone`);
  await fresh.shoot("phone");
  return { bytes, shift: [shift.score, phone.score], controls, stops: reached.size };
}
