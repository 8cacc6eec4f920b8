/** @module What the readers of the formats share: a file made plain for its decoder, and the ways to refuse one. */
import { UserError } from '../util/errors.js';

/** A file that holds the picture and nothing else, and what its metadata said. */
export interface Plain {
  readonly bytes: Uint8Array;
  /** EXIF's orientation, 1 to 8, as the file says it. */
  readonly orientation?: number | undefined;
}

/** The ways in which a file is refused; each says what to do. */
export interface Refuse {
  readonly damaged: (reason: string) => never;
  /** `what` goes on from "the image x (TIFF)", as in "has 12 bits a sample". */
  readonly unsupported: (what: string) => never;
  readonly tooMuch: (what: string) => never;
}

export function refusals(subject: string, format: string): Refuse {
  const file = `${subject} (${format})`;
  return {
    damaged: (reason) => {
      throw new UserError(`${file} is truncated or damaged (${reason}); get a complete copy`, {
        code: 'invalid_image',
      });
    },
    unsupported: (what) => {
      throw new UserError(`${file} ${what}, which is not read here; convert it to PNG first`, {
        code: 'unsupported',
      });
    },
    tooMuch: (what) => {
      throw new UserError(`${file} ${what}; convert it to a plain PNG or JPEG first`, { code: 'too_large' });
    },
  };
}
