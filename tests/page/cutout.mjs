// Sends a picture, looks at the answer, and moves the slider.

const RESULT = `(() => {
  const image = document.getElementById("result");
  const scale = Math.min(1, 512 / Math.max(image.naturalWidth, image.naturalHeight, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let alpha = false;
  for (let at = 3; at < data.length && !alpha; at += 4) alpha = data[at] < 250;
  return { width: image.naturalWidth, height: image.naturalHeight, alpha };
})()`;

export default async function cutout(visitor, picture) {
  await visitor.choose([picture]);
  const state = await visitor.result();
  if (state === "error") throw new Error(`shown: ${await visitor.text("#error")}`);
  const seen = { state, ...await visitor.see(RESULT) };
  visitor.expect(await visitor.see(`document.getElementById("download").href.startsWith("blob:")`), "nothing to download");

  const value = `Number(document.getElementById("compare").value)`;
  const edge = `getComputedStyle(document.querySelector(".half-before")).clipPath`;
  const before = await visitor.see(`document.getElementById("compare").focus(), [${value}, ${edge}]`);
  await visitor.press("ArrowRight", 5);
  const after = await visitor.see(`[${value}, ${edge}]`);
  visitor.expect(after[0] > before[0] && after[1] !== before[1], "the slider does not follow the keyboard");
  await visitor.shoot("page");
  return { ...seen, compare: [before[0], after[0]] };
}
