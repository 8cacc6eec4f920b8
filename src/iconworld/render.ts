import type { RgbImage } from '../images/image.js';
import { drawBackground, rgbOfHex } from './background.js';
import { type Canvas, drawIcon } from './draw.js';
import { iconRaster } from './raster.js';
import { SETTING_LOOKS, type Square, signPlace } from './settings.js';
import type { Scene } from './types.js';

/** The ground is the lowest quarter of a scene, thin enough to let the background through. */
const GROUND_FROM = 0.75;
const GROUND_OPACITY = 0.6;
/** A sign is a white plate with a dark rim, which no thing has, and a slightly faded icon on it. */
const PLATE_OPACITY = 0.8;
const RIM = { color: [70, 70, 80], opacity: 0.75, share: 0.03 } as const;
const SIGN_ICON = { share: 0.8, opacity: 0.9 } as const;

/** Draws a scene; equal scenes give equal pixels. `loadIcons()` must have finished for its style. */
export function renderScene(scene: Scene): RgbImage {
  const { width, height } = scene;
  const canvas = { width, height, data: new Uint8Array(3 * width * height) };
  drawBackground(canvas, scene.background, scene.seed);
  if (scene.setting !== null) drawSetting(canvas, scene, SETTING_LOOKS[scene.setting]);
  for (const thing of scene.things) drawIcon(canvas, iconRaster(scene.style, thing.icon[scene.style]), thing);
  return canvas;
}

function drawSetting(
  canvas: Canvas,
  scene: Scene,
  look: (typeof SETTING_LOOKS)[keyof typeof SETTING_LOOKS],
): void {
  const ground = rgbOfHex(look.ground);
  for (let y = Math.floor(GROUND_FROM * canvas.height); y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) blend(canvas, x, y, ground, GROUND_OPACITY);
  }
  const place = signPlace(scene);
  drawPlate(canvas, place);
  const icon = { ...place, size: SIGN_ICON.share * place.size, angle: 0, flip: false, light: 1 };
  drawIcon(canvas, iconRaster(scene.style, look.sign[scene.style]), icon, SIGN_ICON.opacity);
}

function drawPlate(canvas: Canvas, { x, y, size }: Square): void {
  const half = size / 2;
  const rim = Math.max(1, RIM.share * size);
  for (let py = Math.max(0, Math.round(y - half)); py < Math.min(canvas.height, Math.round(y + half)); py++) {
    for (
      let px = Math.max(0, Math.round(x - half));
      px < Math.min(canvas.width, Math.round(x + half));
      px++
    ) {
      const depth = half - Math.max(Math.abs(px + 0.5 - x), Math.abs(py + 0.5 - y));
      if (depth < rim) blend(canvas, px, py, RIM.color, RIM.opacity);
      else blend(canvas, px, py, [255, 255, 255], PLATE_OPACITY);
    }
  }
}

function blend(
  { data, width }: Canvas,
  x: number,
  y: number,
  color: readonly number[],
  opacity: number,
): void {
  const at = 3 * (y * width + x);
  for (let c = 0; c < 3; c++) data[at + c] = opacity * color[c] + (1 - opacity) * data[at + c] + 0.5;
}
