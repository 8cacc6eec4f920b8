import { UserError } from '../../util/errors.js';

/** What the sides of a resized image have to keep to. */
export interface SmartResizeLimits {
  /** Both sides become multiples of this: patch size x merge size. */
  readonly factor: number;
  /** Bounds of height x width after the resize. */
  readonly minPixels: number;
  readonly maxPixels: number;
}

/** The model was never shown anything longer (transformers:models/qwen2_vl/image_processing_qwen2_vl.py). */
const MAX_ASPECT_RATIO = 200;
/** The helper's own limits: 4 and 16,384 tokens of 28 x 28 pixels (QwenLM/Qwen2.5-VL:qwen-vl-utils vision_process.py). */
const QWEN_VL_UTILS_LIMITS: SmartResizeLimits = {
  factor: 28,
  minPixels: 4 * 28 ** 2,
  maxPixels: 16384 * 28 ** 2,
};

/**
 * The size an image is resized to before it is cut into patches: multiples of `factor` near the original's proportions,
 * with an area within the limits (transformers:models/qwen2_vl/image_processing_qwen2_vl.py, `smart_resize`).
 * @returns [height, width]
 * @throws UserError for an aspect ratio above 200.
 */
export function smartResize(
  height: number,
  width: number,
  limits: SmartResizeLimits,
): readonly [height: number, width: number] {
  // A side may round to 0 here: the area is then 0 too, below any lower limit, and the image grows.
  return withinArea(height, width, limits, 0);
}

/**
 * The same by the rule of qwen_vl_utils, whose `process_vision_info` the model card calls before the processor:
 * a side never rounds below `factor` (QwenLM/Qwen2.5-VL:qwen-vl-utils/src/qwen_vl_utils/vision_process.py).
 * @returns [height, width]
 * @throws UserError for an aspect ratio above 200.
 */
export function smartResizeQwenVlUtils(
  height: number,
  width: number,
  limits: SmartResizeLimits = QWEN_VL_UTILS_LIMITS,
): readonly [height: number, width: number] {
  return withinArea(height, width, limits, limits.factor);
}

function withinArea(
  height: number,
  width: number,
  limits: SmartResizeLimits,
  smallestRounded: number,
): readonly [height: number, width: number] {
  const { factor, minPixels, maxPixels } = limits;
  const longest = Math.max(height, width);
  const shortest = Math.min(height, width);
  if (longest / shortest > MAX_ASPECT_RATIO) {
    throw new UserError(
      `an image of ${width} x ${height} pixels is too long and thin: one side is ${Math.ceil(longest / shortest)} ` +
        `times the other, the model takes at most ${MAX_ASPECT_RATIO}; crop it or cut it into pieces`,
    );
  }
  const round = (side: number): number => Math.max(smallestRounded, roundHalfToEven(side / factor) * factor);
  const rounded = [round(height), round(width)] as const;
  const area = rounded[0] * rounded[1];
  if (area > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const fit = (side: number): number => Math.max(factor, Math.floor(side / shrink / factor) * factor);
    return [fit(height), fit(width)];
  }
  if (area < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const fit = (side: number): number => Math.ceil((side * grow) / factor) * factor;
    return [fit(height), fit(width)];
  }
  return rounded;
}

/** Python's `round`: a half goes to the even neighbour. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
