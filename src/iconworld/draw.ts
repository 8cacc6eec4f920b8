import type { IconRaster } from './raster.js';

/** Pixels to draw on: RGB rows as in RgbImage. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where and how an icon is drawn: centre and side in pixels, angle in degrees clockwise; light scales its colours. */
export interface Placement {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly angle: number;
  readonly flip: boolean;
  readonly light: number;
}

/** Whole pixels: left and top included, right and bottom excluded. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The pixels of the canvas that an icon drawn so may change. */
export function drawnBox(
  canvas: { readonly width: number; readonly height: number },
  placement: Placement,
): Box {
  const angle = (placement.angle * Math.PI) / 180;
  // One pixel more: bilinear sampling reaches half a texel beyond the rotated square.
  const half = (placement.size / 2) * (Math.abs(Math.cos(angle)) + Math.abs(Math.sin(angle))) + 1;
  return {
    left: Math.max(0, Math.floor(placement.x - half)),
    top: Math.max(0, Math.floor(placement.y - half)),
    right: Math.min(canvas.width, Math.ceil(placement.x + half)),
    bottom: Math.min(canvas.height, Math.ceil(placement.y + half)),
  };
}

/** Levels a little smaller than the target are fine: bilinear magnification by a tenth is not seen. */
const SMALLEST_RATIO = 0.9;

/** Draws an icon over the canvas: inverse affine mapping, bilinear sampling of the nearest prepared size, `over` compositing. */
export function drawIcon(canvas: Canvas, raster: IconRaster, placement: Placement, opacity = 1): void {
  const { x, y, size, flip, light } = placement;
  const level = raster.findLast((one) => one.side >= SMALLEST_RATIO * size) ?? raster[0];
  const { side, data } = level;
  const angle = (placement.angle * Math.PI) / 180;
  const cos = (Math.cos(angle) * side) / size;
  const sin = (Math.sin(angle) * side) / size;
  const box = drawnBox(canvas, placement);
  const out = canvas.data;
  for (let py = box.top; py < box.bottom; py++) {
    const dy = py + 0.5 - y;
    for (let px = box.left; px < box.right; px++) {
      const dx = px + 0.5 - x;
      const across = cos * dx + sin * dy;
      const u = (flip ? -across : across) + side / 2 - 0.5;
      const v = cos * dy - sin * dx + side / 2 - 0.5;
      if (u <= -1 || v <= -1 || u >= side || v >= side) continue;
      const u0 = Math.floor(u);
      const v0 = Math.floor(v);
      const fu = u - u0;
      const fv = v - v0;
      let r = 0;
      let g = 0;
      let b = 0;
      let a = 0;
      for (let corner = 0; corner < 4; corner++) {
        const cu = u0 + (corner & 1);
        const cv = v0 + (corner >> 1);
        if (cu < 0 || cv < 0 || cu >= side || cv >= side) continue;
        const weight = (corner & 1 ? fu : 1 - fu) * (corner >> 1 ? fv : 1 - fv);
        const at = 4 * (cv * side + cu);
        r += weight * data[at];
        g += weight * data[at + 1];
        b += weight * data[at + 2];
        a += weight * data[at + 3];
      }
      if (a === 0) continue;
      const keep = 1 - (opacity * a) / 255;
      const gain = opacity * light;
      // Light may not push a colour above its own coverage, or the edge would glow.
      const most = opacity * a;
      const to = 3 * (py * canvas.width + px);
      out[to] = Math.min(most, gain * r) + keep * out[to] + 0.5;
      out[to + 1] = Math.min(most, gain * g) + keep * out[to + 1] + 0.5;
      out[to + 2] = Math.min(most, gain * b) + keep * out[to + 2] + 0.5;
    }
  }
}
