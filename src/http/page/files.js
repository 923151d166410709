// Files: checked before they are sent, named when they come back, and looked into when they are a ZIP.

import { bytes } from "./words.js";

const EXTENSION = {
  "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "application/zip": "zip",
  "application/json": "json",
};
const NAMES = { jpeg: "JPEG", png: "PNG", webp: "WebP", gif: "GIF", bmp: "BMP", tiff: "TIFF" };

/** Why this file cannot be sent, in words; empty if it can. The bytes decide, as on the server. */
export async function checkPicture(file, limits) {
  if (file.size === 0) return `“${file.name}” is empty.`;
  if (file.size > limits.bytes) {
    return `“${file.name}” has ${bytes(file.size)}; the limit is ${bytes(limits.bytes)}. Save it smaller, or with fewer pixels.`;
  }
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  } catch {
    return `“${file.name}” could not be read. Is it a folder, or was it moved?`;
  }
  const kind = sniff(head);
  if (limits.formats.some((format) => NAMES[format] === kind)) return "";
  const what = kind ? `is ${kind}` : "is not a picture that this page knows";
  return `“${file.name}” ${what}. Use a ${formatsInWords(limits.formats)}.`;
}

/** `JPEG, PNG or WebP`. */
export function formatsInWords(formats) {
  const names = formats.map((format) => NAMES[format] ?? format);
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} or ${names.at(-1)}` : names.join("");
}

/** The format by its first bytes; the name and the declared type may lie. */
function sniff(head) {
  const text = (from, to) => String.fromCharCode(...head.slice(from, to));
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return "JPEG";
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "PNG";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "WebP";
  if (text(4, 8) === "ftyp") return /^(hei|hev|mif|msf)/.test(text(8, 12)) ? "HEIC" : text(8, 11) === "avi" ? "AVIF" : "a video";
  if (text(0, 4) === "GIF8") return "GIF";
  if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*") return "TIFF";
  if (text(0, 4) === "%PDF") return "PDF";
  if (text(0, 2) === "BM") return "BMP";
  return "";
}

/** `family.jpeg` and `cutout` make `family-cutout.png`. */
export function resultName(source, suffix, type) {
  const stem = source.replace(/\.[A-Za-z0-9]{1,5}$/, "") || "picture";
  return `${stem}-${suffix}.${EXTENSION[type] ?? "bin"}`;
}

/** The type that will come back, as far as it can be told beforehand (for the curl line). */
export function expectedType(operation, values, source) {
  if (operation.type) return operation.type;
  if (values.output === "both" || values.format === "zip") return "application/zip";
  if (values.format !== "auto" && values.format) return `image/${values.format}`;
  return source.type && !operation.transparent?.(values) ? source.type : "image/png";
}

/** A small picture for the list, drawn once, so that no full picture stays decoded for it. */
export async function thumbnail(file, canvas) {
  const side = canvas.width;
  const bitmap = await createImageBitmap(file, { resizeHeight: side, resizeQuality: "medium" });
  const scale = side / Math.min(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
  bitmap.close();
}

/** The first member of a ZIP whose name starts with `prefix`, as a picture to look at; null if there is none. */
export async function zipMember(zip, prefix) {
  const view = new DataView(await zip.arrayBuffer());
  let at = findDirectory(view);
  while (at >= 0 && at + 46 <= view.byteLength && view.getUint32(at, true) === 0x02014b50) {
    const [method, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const title = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, name));
    if (title.startsWith(prefix)) {
      const local = view.getUint32(at + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      return { title, blob: await member(zip.slice(start, start + size), method, title) };
    }
    at += 46 + name + extra + comment;
  }
  return null;
}

/** Where the central directory starts: APPNOTE 4.3.16, searched from the end. */
function findDirectory(view) {
  for (let at = view.byteLength - 22; at >= 0 && at > view.byteLength - 65_558; at -= 1) {
    if (view.getUint32(at, true) === 0x06054b50) return view.getUint32(at + 16, true);
  }
  return -1;
}

async function member(packed, method, title) {
  const type = Object.entries(EXTENSION).find(([, extension]) => title.endsWith(`.${extension}`))?.[0] ?? "";
  const plain = method === 0 ? packed : await new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
  return new Blob([plain], { type });
}
