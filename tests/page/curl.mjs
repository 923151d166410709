// Asks each tab for its request as a curl line, with options that a shell could misread.
// Sees {tabs: [operation], lines: [{operation, line, name}]}, `name` being that of the file which the
// page would save.

const SET = {
  "remove-background": `document.getElementById("opt-background-colour").click()`,
  restore: `document.getElementById("opt-strength").value = 0.5, document.getElementById("opt-strength").dispatchEvent(new Event("input"))`,
  enhance: `document.getElementById("opt-tone-none").click()`,
  transform: `document.getElementById("opt-crop-left").value = 10, document.getElementById("opt-crop-left").dispatchEvent(new Event("input"))`,
  pipeline: `document.getElementById("opt-out-format-webp").click()`,
  inspect: "",
};

export default async function curl(visitor, picture) {
  await visitor.choose([picture]);
  await visitor.result();
  const tabs = await visitor.see(`[...document.querySelectorAll("[role=tab]")].map(({ id }) => id.replace(/^tab-/, ""))`);
  const lines = [];
  for (const [operation, set] of Object.entries(SET)) {
    await visitor.tab(operation);
    if (set) await visitor.see(`void (${set})`);
    await visitor.click("#run");
    visitor.expect(await visitor.result() === "done", `${operation} is done`);
    await visitor.click("#copy-curl");
    await visitor.until(`document.getElementById("status").textContent.startsWith("Copied")`, "it is copied");
    lines.push({ operation, line: await visitor.text("#curl"), name: await visitor.see(`document.getElementById("download").download`) });
  }
  return { tabs, lines };
}
