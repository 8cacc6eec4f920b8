import { assert } from '../util/errors.js';
import type { Random } from '../util/random.js';
import { HARMLESS_ICONS } from './icons.js';
import type { Scene } from './types.js';

/**
 * The scene with thing `index` replaced in place by a harmless one that is not yet in it. Place, size, angle, flip and light stay,
 * so every pixel outside that thing's box is equal.
 */
export function editScene(scene: Scene, index: number, random: Random): Scene {
  assert(index in scene.things, `The scene has ${scene.things.length} things, none numbered ${index}.`);
  const present = new Set(scene.things.map((thing) => thing.icon.name));
  const icon = random.pick(HARMLESS_ICONS.filter((one) => !present.has(one.name)));
  return { ...scene, things: scene.things.map((thing, i) => (i === index ? { ...thing, icon } : thing)) };
}
