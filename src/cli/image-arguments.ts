/** @module Images of a command line: files, URLs, or `-` for standard input. */
import { type ImageSource, readChunks } from '../images/source.js';
import { UserError } from '../util/errors.js';

/** An argument as a source of pictures; standard input is read to its end. @throws UserError where it cannot be. */
export async function loadImage(
  argument: string,
  stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean } = process.stdin,
): Promise<ImageSource> {
  if (argument !== '-') return argument;
  if (stdin.isTTY) throw new UserError('the image "-" is read from standard input; pipe a file into it');
  return readChunks(stdin, 'the image on standard input');
}
