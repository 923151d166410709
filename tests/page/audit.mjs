// What is measured in the page itself. Each function runs there and sees nothing from outside of it.

/** Texts and edges of controls that are too faint (WCAG 2.2, 1.4.3 and 1.4.11), as sentences. */
export function faint() {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const root = getComputedStyle(document.documentElement);
  const ground = parse(root.backgroundColor);
  // The glow behind the head of the page is strongest where it begins.
  const glow = over(parse(root.getPropertyValue("--glow").replace(/(\d+)%/, (_, percent) => percent / 100)), ground);

  /** The colours that may be behind an element. */
  const behind = (element) => {
    const layers = [];
    for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.a > 0) layers.push(color);
      if (color.a === 1) break;
    }
    const grounds = layers.at(-1)?.a === 1 ? [layers.pop()] : [ground, glow];
    return grounds.map((base) => layers.reduceRight((below, top) => over(top, below), base));
  };
  const opacity = (element) => {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(".skip, .pictures");
  const idle = (element) => element.matches(":disabled") || element.closest("label")?.querySelector(":disabled") || element.closest("button:disabled");
  const faults = new Set();
  const judge = (element, color, backs, least, what) => {
    const alpha = color.a * opacity(element);
    const worst = Math.min(...backs.map((back) => ratio(over({ ...color, a: alpha }, back), back)));
    if (worst < least) faults.add(`${what}: ${worst.toFixed(2)} : 1, not ${least} : 1`);
  };
  for (const element of document.querySelectorAll("body *")) {
    if (!seen(element) || idle(element)) continue;
    const style = getComputedStyle(element);
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).join(" ").trim();
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const text = own || (element.matches("input:is([type=number], [type=text]), select") ? element.value : "");
    if (text && size > 0) judge(element, parse(style.color), behind(element), large ? 3 : 4.5, `“${text.slice(0, 40)}”`);
    if (element.placeholder) judge(element, parse(getComputedStyle(element, "::placeholder").color), behind(element), 4.5, `placeholder “${element.placeholder}”`);
    if (element.matches("input[type=number], input[type=text], input[type=checkbox]:not(:checked), select")) {
      judge(element, parse(style.borderTopColor), behind(element.parentElement), 3, `edge of ${element.id}`);
    }
  }
  return [...faults];
}

/** What a finger would miss: controls below 44 by 44 pixels, links within a sentence aside. */
export function small() {
  const target = (element) => element.closest("label.toggle, .segments label, .place, .drop") ?? element;
  const found = [...document.querySelectorAll("a, button, input, select, summary")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".skip, .pictures"));
  return found.flatMap((element) => {
    const { width, height } = target(element).getBoundingClientRect();
    const name = element.id || element.textContent.trim() || element.getAttribute("aria-label");
    return Math.round(width) >= 44 && Math.round(height) >= 44 ? [] : [`${name}: ${Math.round(width)} by ${Math.round(height)}`];
  });
}

/** Elements that stick out to the right. */
export function wide() {
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over <= 0) return [];
  const out = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".tabs, #queue"));
  return out.map((element) => `${element.localName}#${element.id}.${element.className} by ${over}`);
}

/** How much moved by itself since the page was opened (CLS). */
export async function shifted() {
  const entries = await new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries())).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve([]), 300);
  });
  const sources = entries.flatMap((entry) => entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName));
  return { score: entries.filter((entry) => !entry.hadRecentInput).reduce((sum, { value }) => sum + value, 0), sources };
}

/** What every page should say of itself. */
export function head() {
  const faults = [];
  const expect = (right, what) => right || faults.push(what);
  expect(document.documentElement.lang === "en", "no language");
  expect(document.title, "no title");
  expect(document.querySelector("meta[name=description]")?.content.length > 20, "no description");
  expect(document.querySelector("meta[name=viewport]"), "no viewport");
  expect(document.querySelectorAll("h1").length === 1, "not one first heading");
  expect([...document.images].every((image) => image.hasAttribute("alt")), "an image without alt");
  expect(new Set([...document.querySelectorAll("[id]")].map(({ id }) => id)).size === document.querySelectorAll("[id]").length, "an id twice");
  for (const label of document.querySelectorAll("label[for]")) expect(document.getElementById(label.htmlFor), `a label for ${label.htmlFor}`);
  return faults;
}

/** Whether what has the focus shows it; and what it is. */
export function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const ring = (one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return (outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  };
  const marks = [element, element.nextElementSibling, element.closest(".drop")].filter(Boolean);
  const { top } = element.getBoundingClientRect();
  return { name: element.id || element.getAttribute("aria-label") || element.textContent.trim(), ring: marks.some(ring), top: top + scrollY };
}
