/** @module Standard input as an image, a policy or a list. */
import { readChunks } from '../images/source.js';
import { UserError } from '../util/errors.js';

/** All of standard input. @throws UserError where nobody pipes anything in. */
export async function readStdin(
  stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean } = process.stdin,
): Promise<Uint8Array> {
  if (stdin.isTTY) throw new UserError('"-" is read from standard input; pipe a file into it');
  return readChunks(stdin, 'standard input');
}
