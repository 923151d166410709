// What the header of a picture says, in words.

const NAMES = { jpeg: "JPEG", png: "PNG", webp: "WebP", gif: "GIF", bmp: "BMP", tiff: "TIFF" };
const COLOURS = { rgb: "colour", rgba: "colour", gray: "grey", "gray-alpha": "grey", palette: "palette", cmyk: "CMYK" };
const TURNS = {
  2: "mirrored", 3: "upside down", 4: "upside down and mirrored", 5: "on its side and mirrored",
  6: "on its side, top to the right", 7: "on its side and mirrored", 8: "on its side, top to the left",
};

/** Sentences from the answer of /v1/inspect; what it does not say is left out. */
export function factsOf({ type, width, height, megapixels, bits, color, alpha, orientation, animated }) {
  const turned = TURNS[orientation];
  return [
    `${NAMES[type] ?? "A picture"}, ${width} × ${height} pixels`,
    megapixels === undefined ? "" : `${Number(megapixels).toFixed(megapixels < 10 ? 2 : 1)} megapixels`,
    [bits ? `${bits} bits a channel` : "", COLOURS[color] ?? ""].filter(Boolean).join(", "),
    alpha ? "with transparency" : "no transparency",
    turned ? `stored ${turned}; results are upright` : "stored upright",
    animated ? "animated: only the first frame is used" : "",
  ].filter(Boolean);
}
