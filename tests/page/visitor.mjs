// Somebody who uses the demo page: looks, clicks, types, chooses files.

import { writeFile } from "node:fs/promises";
import path from "node:path";

import { CALL_MS, evaluate, openPage, waitFor } from "../browser.mjs";

const JOB_MS = 90_000;

const KEYS = {
  Tab: 9, Enter: 13, Escape: 27, Space: 32, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40,
};

export class Visitor {
  /** Opens the page, with a watch on what it asks for and complains about. */
  static async arrive(browser, url, folder, seen) {
    const visitor = new Visitor();
    Object.assign(visitor, { browser, url, folder, seen });
    visitor.call = await openPage(browser, url, seen);
    await visitor.until(`document.readyState === "complete" && !!document.querySelector("[role=tab]")`, "the page is ready");
    return visitor;
  }

  /** The same in a tab of its own. */
  another() {
    return Visitor.arrive(this.browser, this.url, this.folder, this.seen);
  }

  /** The value of an expression in the page. */
  see(expression) {
    return evaluate(this.call, expression);
  }

  text(selector) {
    return this.see(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  }

  until(expression, what, limit = CALL_MS) {
    return waitFor(this.call, expression, limit, what);
  }

  /** Notes what should have been so and is not. */
  expect(right, what) {
    if (!right) this.seen.errors.push(what);
  }

  async choose(files, selector = "#file") {
    const { root } = await this.call("DOM.getDocument");
    const { nodeId } = await this.call("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.call("DOM.setFileInputFiles", { nodeId, files: files.map((file) => path.resolve(file)) });
  }

  /** Chooses a picture made in the page: grey waves under noise, `width` by `height`. */
  chooseNoise(width, height, name = "noise.png") {
    return this.see(`(async () => {
      const canvas = new OffscreenCanvas(${width}, ${height});
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(${width}, ${height});
      let random = 1;
      for (let at = 0; at < pixels.data.length; at += 4) {
        random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
        const wave = 128 + 50 * Math.sin(at / 4 % ${width} / 40) + (random / 2 ** 32 - 0.5) * 90;
        pixels.data.set([wave, wave, wave, 255], at);
      }
      context.putImageData(pixels, 0, 0);
      const list = new DataTransfer();
      list.items.add(new File([await canvas.convertToBlob({ type: "image/png" })], ${JSON.stringify(name)}, { type: "image/png" }));
      const input = document.getElementById("file");
      input.files = list.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    })()`);
  }

  /** "done" or "error", when what runs is over. */
  result() {
    const state = "document.documentElement.dataset.state";
    return this.until(`["done", "error"].includes(${state}) && ${state}`, "the result", JOB_MS);
  }

  /** A press of the mouse in the middle of an element. */
  async click(selector) {
    const box = await this.see(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: "center" });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.call("Input.dispatchMouseEvent", { type, ...box, button: "left", clickCount: 1 });
    }
  }

  async press(key, times = 1, modifiers = 0) {
    const text = { Enter: "\r", Space: " " }[key];
    const event = { key: key === "Space" ? " " : key, code: key, windowsVirtualKeyCode: KEYS[key], modifiers };
    for (let count = 0; count < times; count += 1) {
      await this.call("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event, ...(text ? { text } : {}) });
      await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...event });
    }
  }

  type(text) {
    return this.call("Input.insertText", { text });
  }

  tab(operation) {
    return this.click(`#tab-${operation}`);
  }

  theme(value) {
    return this.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  phone() {
    return this.call("Emulation.setDeviceMetricsOverride", { width: 360, height: 740, deviceScaleFactor: 1, mobile: true });
  }

  /** Leaves NAME.png in the output folder; `whole`: all of the page, not only what is on screen. */
  async shoot(name, whole = false) {
    const { cssContentSize: { width, height } } = await this.call("Page.getLayoutMetrics");
    const clip = whole ? { clip: { x: 0, y: 0, width, height, scale: 1 }, captureBeyondViewport: true } : {};
    const { data } = await this.call("Page.captureScreenshot", { format: "png", ...clip });
    await writeFile(path.join(this.folder, `${name}.png`), Buffer.from(data, "base64"));
  }
}
