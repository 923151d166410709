// Restores a noisy picture and a plain one while the stream of progress fails, and reads what the page
// says of it; then has the page say in words what other reports hold. Sees {unheard: streams that
// failed, noisy, plain: lists of sentences, words: one list a report}.

async function restored(visitor) {
  await visitor.tab("restore");
  await visitor.result();
  return visitor.see(`[...document.querySelectorAll("#found-list li")].map((line) => line.textContent)`);
}

const PLAIN = `(async () => {
  const canvas = new OffscreenCanvas(320, 240);
  const context = canvas.getContext("2d");
  const fill = context.createLinearGradient(0, 0, 320, 240);
  fill.addColorStop(0, "#000");
  fill.addColorStop(1, "#fff");
  context.fillStyle = fill;
  context.fillRect(0, 0, 320, 240);
  context.fillStyle = "#c33";
  context.fillRect(60, 60, 90, 90);
  const list = new DataTransfer();
  list.items.add(new File([await canvas.convertToBlob({ type: "image/png" })], "plain.png", { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: list, bubbles: true, cancelable: true }));
})()`;

export default async function restore(visitor, ...reports) {
  let unheard = 0;
  visitor.browser.on("Fetch.requestPaused", ({ requestId }) => {
    // A picture that was done before has ended its stream itself.
    const failed = visitor.call("Fetch.failRequest", { requestId, errorReason: "ConnectionRefused" });
    failed.then(() => { unheard += 1; }, () => {});
  });
  await visitor.call("Fetch.enable", { patterns: [{ urlPattern: "*/v1/progress/*" }] });
  await visitor.tab("restore");
  await visitor.chooseNoise(800, 600);
  const noisy = await restored(visitor);
  await visitor.shoot("restored", true);
  await visitor.see(PLAIN);
  await visitor.until(`document.getElementById("status").textContent.startsWith("plain.png is done")`, "the plain picture");
  const plain = await restored(visitor);
  const words = [];
  for (const report of reports) {
    words.push(await visitor.see(`import("/assets/report.js").then(({ reportInWords }) => reportInWords(${JSON.stringify(report)}, false).map(({ text }) => text))`));
  }
  // The browser says that they failed, as it should.
  visitor.seen.errors = visitor.seen.errors.filter((error) => !error.includes("ERR_CONNECTION_REFUSED"));
  return { unheard, noisy, plain, words };
}
