// Several pictures, from the chooser, dropped and from the clipboard, and what is not sent at all. The server
// takes less than LARGE has.

const WATCH = `(() => {
  window.sent = 0;
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (...body) {
    window.sent += 1;
    return send.apply(this, body);
  };
})()`;

/** A picture that is pasted, or dropped anywhere on the page, as the browser tells of it. */
const bring = (name, event) => `(async () => {
  const canvas = new OffscreenCanvas(64, 48);
  canvas.getContext("2d").fillRect(10, 10, 30, 20);
  const list = new DataTransfer();
  list.items.add(new File([await canvas.convertToBlob({ type: "image/png" })], ${JSON.stringify(name)}, { type: "image/png" }));
  const about = { bubbles: true, cancelable: true, clipboardData: list, dataTransfer: list };
  document.body.dispatchEvent(new (${event})(about));
})()`;
const PASTE = `function (about) { return new ClipboardEvent("paste", about); }`;
const DROP = `function (about) { return new DragEvent("drop", about); }`;

export default async function several(visitor, one, two, large, text) {
  await visitor.see(WATCH);
  const shown = () => visitor.text("#error");

  await visitor.choose([large]);
  await visitor.until(`!document.getElementById("error").hidden`, "the large picture is refused");
  const refused = [await shown()];
  await visitor.choose([text]);
  await visitor.until(`document.getElementById("error").innerText !== ${JSON.stringify(refused[0])}`, "the text is refused");
  refused.push(await shown());
  await visitor.shoot("refused");
  visitor.expect(await visitor.see("window.sent") === 0, "what is refused is not sent");
  visitor.expect(await visitor.see(`document.documentElement.dataset.state`) === "error", "the page says so");

  await visitor.tab("transform");
  await visitor.choose([one, text, two]);
  await visitor.until(`document.querySelectorAll("#queue li[data-phase=done]").length === 2`, "both pictures are done");
  visitor.expect((await shown()).includes("Not sent"), "what is none of them is named");
  await visitor.see(bring("dropped.png", DROP));
  await visitor.until(`document.querySelectorAll("#queue li[data-phase=done]").length === 3`, "the dropped picture is done");
  await visitor.see(bring("pasted.png", PASTE));
  await visitor.until(`document.querySelectorAll("#queue li[data-phase=done]").length === 4`, "the pasted picture is done");
  visitor.expect(await visitor.see("window.sent") === 4, "each is sent once");
  visitor.expect((await visitor.text("#status")).includes("pasted.png is done"), "the pasted picture is shown");
  await visitor.shoot("several");

  // What was set for one operation stays set, and one click runs all again.
  await visitor.see(`document.getElementById("opt-grayscale").click()`);
  await visitor.tab("inspect");
  await visitor.tab("transform");
  visitor.expect(await visitor.see(`document.getElementById("opt-grayscale").checked`), "options stay set");
  await visitor.click("#run-all");
  await visitor.until(`window.sent === 8 && document.querySelectorAll("#queue li[data-phase=done]").length === 4`, "all run again");
  await visitor.click("#queue li:first-child .row-remove");
  const left = await visitor.see(`document.querySelectorAll("#queue li").length`);
  await visitor.click("#clear");
  visitor.expect(await visitor.see(`document.getElementById("stage").hidden && document.activeElement.id === "file"`), "all are gone");

  // Steps of a pipeline move by keyboard, and the focus stays with the button that moves them.
  await visitor.tab("pipeline");
  const titles = `[...document.querySelectorAll(".pipeline > li > details > summary")].map((summary) => summary.textContent)`;
  const steps = [await visitor.see(titles)];
  await visitor.see(`document.querySelector(".pipeline li:last-child .icon:not(:disabled)").focus()`);
  await visitor.press("Enter");
  steps.push(await visitor.see(titles));
  visitor.expect((await visitor.text(".unseen")).includes("is now step 1 of 2"), "the move is said");
  await visitor.click(".adders button:last-child");
  steps.push(await visitor.see(titles));
  await visitor.click(".pipeline li:first-child .step-buttons button:last-child");
  steps.push(await visitor.see(titles));
  await visitor.see(`(() => { const width = document.querySelector(".pipeline li:last-child input[type=number]"); width.value = "20"; width.dispatchEvent(new Event("input")); })()`);
  await visitor.choose([one]);
  visitor.expect(await visitor.result() === "done", "the pipeline is done");
  await visitor.shoot("pipeline", true);
  const facts = await visitor.text("#facts-list");
  return { refused, left, steps, facts };
}
