/** @module Pictures of a run, small enough to stand in the page itself. */
import { join } from 'node:path';
import { decodeImage } from '../../images/decode.js';
import { thumbnail } from '../../images/thumbnail.js';
import { UserError } from '../../util/errors.js';

/** Only what the run itself wrote is opened: a log from elsewhere could name any file. */
const OWN_PICTURE = /^images\/[0-9a-f]{32}\.png$/;
/** The longer side in pixels: sharp on a dense screen at the size it is shown in. */
const SIDE = 240;

/** A data URI; null for a picture that is missing or broken. */
export async function pictureUri(folder: string, path: string): Promise<string | null> {
  if (!OWN_PICTURE.test(path)) return null;
  try {
    const small = await thumbnail(await decodeImage(join(folder, path)), SIDE);
    return `data:image/webp;base64,${Buffer.from(small).toString('base64')}`;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
