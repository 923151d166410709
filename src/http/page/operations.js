// What the page can ask for, as data: one entry an operation, one entry a control.
//
// A control: `name`, `kind` (a builder of fields.js), `label`, `initial`, and, where needed:
// `when(values)`: else it is neither shown nor sent. `option`: its name in the API, if another.
// `wire(value, values)`: the [name, value] pairs to send; without it a value is sent when it differs
// from `initial`, which is the server's default, or always where `always` says so.
// `required`: said while there is no value; `fault(value, values)`: why it does not go with others.
// `needs`: for some values the tasks, each with a factor or without, of which a model must be installed.
// `more`: rarely wanted.

const only = (name, ...wanted) => (values) => wanted.includes(values[name]);
const nothing = () => [];

/** The nine places of a picture, as rows of a grid; `word` writes one as the option takes it. */
function places(word) {
  const rows = ["upper", "middle", "lower"];
  const columns = ["left", "middle", "right"];
  return rows.flatMap((row, y) => columns.map((column, x) => {
    const plain = row === column ? "middle" : `${row} ${column}`;
    return [word(x, y), plain];
  }));
}

const COMPASS = [["northwest", "north", "northeast"], ["west", "center", "east"], ["southwest", "south", "southeast"]];
const compass = (x, y) => COMPASS[y][x];
const percent = (x, y) => `${x * 50}% ${y * 50}%`;

const OUTPUT = [
  {
    name: "format", kind: "choice", label: "File format", initial: "auto",
    values: [["auto", "Auto"], ["png", "PNG"], ["webp", "WebP"], ["jpeg", "JPEG"], ["zip", "ZIP"]],
  },
  {
    name: "quality", kind: "range", label: "Quality", initial: 85, min: 1, max: 100, step: 1,
    when: (values) => values.format === "jpeg" || (values.format === "webp" && !values.lossless),
  },
  { name: "lossless", kind: "toggle", label: "WebP without loss", initial: false, when: only("format", "webp"), more: true },
  {
    name: "compression", kind: "choice", label: "Effort of PNG and lossless WebP", initial: "fast", more: true,
    values: [["fast", "Fast"], ["balanced", "Balanced"], ["small", "Small"]],
    when: (values) => values.format !== "jpeg" && (values.format !== "webp" || values.lossless),
  },
  {
    name: "progressive", kind: "toggle", label: "JPEG that shows coarsely first", initial: false, more: true,
    when: only("format", "jpeg"),
  },
  {
    name: "subsampling", kind: "choice", label: "Colour detail of JPEG", initial: "auto", more: true,
    values: [["auto", "Auto"], ["4:2:0", "Half"], ["4:4:4", "Full"]], when: only("format", "jpeg"),
  },
];

const STRENGTH = {
  name: "strength", kind: "range", label: "Strength", initial: 1, min: 0, max: 1, step: 0.05,
};

const SCALE = {
  name: "scale", kind: "choice", label: "Enlarge", initial: "1",
  values: [["1", "No"], ["2", "2 ×"], ["4", "4 ×"]], needs: { 2: [["upscale", 2]], 4: [["upscale", 4]] },
};

/** The background controls become one option, or one more file. */
function backgroundPairs(kind, values) {
  switch (kind) {
    case "colour": return [["background", values.background_colour]];
    case "blur": return [["background", values.background_blur ? `blur:${values.background_blur}` : "blur"]];
    case "picture": return values.background_picture ? [["background_file", values.background_picture]] : [];
    default: return [];
  }
}

const REMOVE_BACKGROUND = {
  id: "remove-background",
  path: "/v1/remove-background",
  title: "Remove background",
  suffix: (values) => ({ mask: "mask" }[values.output] ?? "cutout"),
  transparent: (values) => values.output !== "mask" && (values.output !== "cutout" || values.background === "none"),
  controls: [
    {
      name: "output", kind: "choice", label: "Result", initial: "cutout",
      values: [["cutout", "Cutout"], ["mask", "Mask"], ["both", "Both (ZIP)"]],
    },
    {
      name: "background", kind: "choice", label: "New background", initial: "none",
      values: [["none", "None"], ["colour", "Colour"], ["blur", "Blur"], ["picture", "Picture"]],
      when: only("output", "cutout"), wire: backgroundPairs,
    },
    {
      name: "background_colour", option: "background", kind: "colour", label: "Background colour",
      initial: "#ffffff", when: only("background", "colour"), wire: nothing,
    },
    {
      name: "background_blur", option: "background", kind: "number", label: "Blur radius", initial: "",
      min: 0.5, max: 500, step: 0.5, unit: "px", blank: "auto", when: only("background", "blur"), wire: nothing,
    },
    {
      name: "background_picture", option: "background_file", kind: "picture", label: "Background picture",
      initial: null, when: only("background", "picture"), wire: nothing, required: "Choose a background picture first.",
    },
    {
      name: "shadow", kind: "choice", label: "Shadow", initial: "none",
      values: [["none", "None"], ["drop", "Drop shadow"]], when: only("output", "cutout"),
    },
    { name: "crop", kind: "toggle", label: "Crop to what was cut out", initial: false },
    {
      name: "crop_margin", kind: "length", label: "Margin around it", initial: "", blank: "0", when: only("crop", true),
    },
    { name: "refine", kind: "toggle", label: "Refine edges at full resolution", initial: true, more: true },
    { name: "feather", kind: "range", label: "Soften the edge", initial: 0, min: 0, max: 50, step: 1, unit: "px", more: true },
    {
      name: "shift", kind: "range", label: "Move the edge (− in, + out)", initial: 0, min: -50, max: 50, step: 1,
      unit: "px", more: true,
    },
    {
      name: "trimap", kind: "choice", label: "Matting between sure subject and sure ground", initial: "", more: true,
      values: [["", "As it is"], ["240,10,10", "Narrow band"], ["230,25,25", "Wide band"]],
    },
    { name: "postprocess", kind: "toggle", label: "Hard mask without specks", initial: false, more: true },
    {
      name: "threshold", kind: "number", label: "Hard mask from", initial: "", min: 0, max: 1, step: 0.05,
      blank: "soft", more: true,
    },
    {
      name: "scale", kind: "number", label: "Size of the subject", initial: "", min: 10, max: 100, step: 1, unit: "%",
      blank: "as it is", more: true, wire: (value) => (value ? [["scale", `${value}%`]] : []),
    },
    {
      name: "position", kind: "grid", label: "Place of the subject", initial: "original", more: true,
      values: [...places(percent), ["original", "As it is"]],
    },
    { name: "roi", kind: "region", label: "Look only here, in percent", initial: "", more: true },
    {
      name: "max_megapixels", kind: "number", label: "Largest result", initial: "", min: 0.01, max: 4096, step: 0.01,
      unit: "MP", blank: "as it is", more: true,
    },
    {
      name: "on_empty", kind: "choice", label: "Where nothing is found", initial: "transparent", more: true,
      values: [["transparent", "Empty picture"], ["error", "An error"]],
    },
    { name: "model", kind: "model", label: "Model", initial: "", task: "cutout", more: true },
  ],
};

const RESTORE = {
  id: "restore",
  path: "/v1/restore",
  title: "Restore",
  suffix: () => "restored",
  controls: [
    {
      // `values` that the server does not describe are not shown; `auto` likewise.
      name: "steps", kind: "steps", label: "Steps", initial: "auto", fallback: ["denoise", "dejpeg"],
      values: [
        ["scratches", "Mend scratches"], ["denoise", "Remove noise"], ["dejpeg", "Remove JPEG blocks"],
        ["deblur", "Sharpen blur"], ["fade", "Undo fading and colour cast"], ["contrast", "Local contrast"],
        ["colorize", "Add colour"], ["faces", "Faces"], ["upscale", "Enlarge"],
      ],
      needs: {
        scratches: [["inpaint"]], denoise: [["restore"]], dejpeg: [["restore"]], colorize: [["colorize"]],
        faces: [["face-detect"], ["face-restore"]], upscale: [["upscale"]],
      },
      required: "Choose at least one step.",
    },
    STRENGTH, SCALE,
    {
      name: "sepia", kind: "choice", label: "A brown or other tint", initial: "keep",
      values: [["keep", "Keep"], ["remove", "Make grey"]],
    },
    {
      name: "mask_file", kind: "picture", label: "Mask of the damage, light where it is", initial: null, more: true,
      when: (values) => values.steps === "auto" || values.steps.split(",").includes("scratches"),
    },
    { name: "report", kind: "toggle", label: "Say what was found and done", initial: true, always: true, more: true },
    { name: "model", kind: "model", label: "Model against noise and blocks", initial: "", task: "restore", more: true },
  ],
};

const ENHANCE = {
  id: "enhance",
  path: "/v1/enhance",
  title: "Enhance",
  suffix: () => "enhanced",
  controls: [
    { name: "tone", kind: "choice", label: "Tone", initial: "auto", values: [["auto", "Auto"], ["none", "Leave"]] },
    {
      name: "white_balance", kind: "choice", label: "White balance", initial: "auto",
      values: [["auto", "Auto"], ["none", "Leave"]],
    },
    {
      name: "denoise", kind: "choice", label: "Noise", initial: "auto",
      values: [["auto", "Auto"], ["0", "Leave"], ["0.5", "Some"], ["1", "Strong"]],
    },
    { name: "sharpen", kind: "range", label: "Sharpen", initial: 1, min: 0, max: 2, step: 0.1 },
    STRENGTH, SCALE,
  ],
};

const sized = (values) => Boolean(values.width || values.height);
/** Only both sides make a shape that a picture may have to be fitted to. */
const shaped = (values) => Boolean(values.width && values.height);

const TRANSFORM = {
  id: "transform",
  path: "/v1/transform",
  title: "Transform",
  suffix: () => "edited",
  transparent: (values) => values.background_kind !== "colour" && !values.flatten
    && Boolean(values.radius || values.pad || (shaped(values) && values.fit === "contain")),
  controls: [
    { name: "width", kind: "number", label: "Width", initial: "", min: 1, max: 65_535, step: 1, unit: "px", blank: "as it is" },
    { name: "height", kind: "number", label: "Height", initial: "", min: 1, max: 65_535, step: 1, unit: "px", blank: "as it is" },
    {
      name: "fit", kind: "choice", label: "Fit", initial: "inside", when: shaped,
      values: [["inside", "Inside"], ["contain", "Pad"], ["cover", "Cover"], ["fill", "Stretch"], ["outside", "Outside"]],
    },
    {
      name: "gravity", kind: "grid", label: "What stays, or where it goes", initial: "center",
      values: [...places(compass), ["smart", "The subject"]],
      when: (values) => shaped(values) && (values.fit === "cover" || values.fit === "contain"),
      fault: (value, values) => (value === "smart" && values.fit !== "cover" ? "“The subject” goes with the fit “Cover”." : ""),
    },
    { name: "enlarge", kind: "toggle", label: "Enlarge small pictures", initial: false, when: sized },
    {
      name: "rotate", kind: "choice", label: "Rotate clockwise", initial: "0",
      values: [["0", "No"], ["90", "90°"], ["180", "180°"], ["270", "270°"]],
    },
    {
      name: "flip", kind: "choice", label: "Flip", initial: "none",
      values: [["none", "No"], ["h", "Left–right"], ["v", "Top–bottom"]],
    },
    { name: "grayscale", kind: "toggle", label: "Black and white", initial: false },
    { name: "crop", kind: "region", label: "Keep only this part, in percent", initial: "", more: true },
    { name: "blur", kind: "range", label: "Blur", initial: 0, min: 0, max: 100, step: 0.5, unit: "px", more: true },
    { name: "sharpen", kind: "range", label: "Sharpen", initial: 0, min: 0, max: 5, step: 0.1, more: true },
    { name: "radius", kind: "length", label: "Rounded corners", initial: "", blank: "0", more: true },
    { name: "pad", kind: "length", label: "Room around it", initial: "", blank: "0", more: true },
    {
      name: "background_kind", option: "background", kind: "choice", label: "What fills added room", initial: "none", more: true,
      values: [["none", "Nothing"], ["colour", "A colour"]],
      wire: (kind, values) => (kind === "colour" ? [["background", values.background_colour]] : []),
    },
    {
      name: "background_colour", option: "background", kind: "colour", label: "Fill colour", initial: "#ffffff", more: true,
      when: only("background_kind", "colour"), wire: nothing,
    },
    { name: "flatten", kind: "toggle", label: "Fill what is transparent", initial: false, more: true },
    { name: "watermark_file", kind: "picture", label: "Watermark", initial: null, more: true },
    {
      name: "watermark_position", kind: "grid", label: "Place of the watermark", initial: "southeast", more: true,
      values: [...places(compass), ["tile", "Everywhere"]], when: (values) => Boolean(values.watermark_file),
    },
    {
      name: "watermark_opacity", kind: "range", label: "How much of it is seen", initial: 1, min: 0, max: 1, step: 0.05,
      more: true, when: (values) => Boolean(values.watermark_file),
    },
    {
      name: "filter", kind: "choice", label: "Resampling", initial: "lanczos3", more: true, when: sized,
      values: [["nearest", "Nearest"], ["box", "Box"], ["bilinear", "Bilinear"], ["bicubic", "Bicubic"], ["lanczos3", "Lanczos"]],
    },
  ],
};

/** The operations that can also be steps of a pipeline. */
const STEPS = [REMOVE_BACKGROUND, RESTORE, ENHANCE, TRANSFORM];

export const OPERATIONS = [
  ...STEPS.map((operation) => ({ ...operation, controls: [...operation.controls, ...OUTPUT] })),
  {
    id: "pipeline",
    path: "/v1/pipeline",
    title: "Pipeline",
    action: "Run the steps",
    suffix: () => "made",
    transparent: (values) => values.transparent,
    steps: STEPS,
    controls: OUTPUT,
  },
  { id: "inspect", path: "/v1/inspect", title: "Inspect", suffix: () => "facts", type: "application/json", controls: [] },
];
