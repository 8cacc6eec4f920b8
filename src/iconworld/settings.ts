import { Random } from '../util/random.js';
import type { Setting, Style } from './types.js';

/** How a setting is drawn: the icon on its sign (ids differ by style only where the sets name it differently) and the colour of its ground. */
export interface SettingLook {
  readonly sign: Readonly<Record<Style, string>>;
  /** `#rrggbb` of the strip at the bottom of the scene. */
  readonly ground: string;
}

function look(sign: string, ground: string): SettingLook {
  return { sign: { fluent: sign, noto: sign }, ground };
}

export const SETTING_LOOKS: Readonly<Record<Setting, SettingLook>> = {
  hospital: look('hospital', '#cfe9ec'),
  school: look('school', '#c9a56c'),
  museum: look('classical-building', '#a8a29a'),
  home: look('house', '#a9744f'),
  stadium: look('stadium', '#6fae5c'),
  church: look('church', '#7d7596'),
  beach: look('beach-with-umbrella', '#ecd596'),
  office: look('office-building', '#8496ab'),
};

/** A square in a scene, by its centre and side in pixels. */
export interface Square {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

/** Side of a sign's plate as a share of the scene's shorter side: larger than most things, small enough for four of them beside it. */
const SIGN_SHARE = 0.46;
/** Signs hang in the upper part of a scene. */
const SIGN_LOWEST_CENTRE = 0.4;

/** Where the sign of a scene hangs: decided by the scene's seed and size alone, so that an edited scene keeps it. */
export function signPlace(scene: {
  readonly seed: string;
  readonly width: number;
  readonly height: number;
}): Square {
  const random = new Random(`${scene.seed}/sign`);
  const size = SIGN_SHARE * Math.min(scene.width, scene.height);
  const half = size / 2 + 1;
  const x = random.uniform(half, scene.width - half);
  const y = random.uniform(half, Math.max(half, SIGN_LOWEST_CENTRE * scene.height));
  return { x, y, size };
}
