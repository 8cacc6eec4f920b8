/** @module Data URIs (RFC 2397, as the Fetch standard reads them): bytes that stand in a string. */
import { UserError } from '../util/errors.js';

/** A file of the size that a fetched one may have (64 MiB) in base64, with room for percent signs. */
const MAX_CHARACTERS = 96 * 1024 * 1024;
/** What is shown of a data URI: what is in front of its data, unless that is long itself. */
const SHOWN_HEAD = 60;

const PERCENT = 0x25;
const HEX = /^[0-9a-f]{2}$/iu;
const BASE64_MARK = /; *base64 *$/iu;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/u;

/** Whether a string is one, its beginning in any case. */
export const isDataUri = (text: string): boolean => /^data:/iu.test(text);

/** A data URI for messages: its head and its length, never its data. */
export function shortDataUri(uri: string): string {
  const comma = uri.indexOf(',');
  const head = uri.slice(0, comma < 0 || comma > SHOWN_HEAD ? SHOWN_HEAD : comma + 1);
  return `${head}… (${uri.length} characters)`;
}

/**
 * The bytes of a data URI: base64 or percent-encoded, with or without a media type and parameters. The media type is not
 * looked at, since the bytes tell the format. @throws UserError for a broken or overlong one.
 */
export function bytesOfDataUri(uri: string): Uint8Array {
  const comma = uri.indexOf(',');
  if (comma < 0) {
    throw broken(uri, 'it has no comma before its data; write data:image/png;base64, and the bytes');
  }
  if (uri.length > MAX_CHARACTERS) {
    throw new UserError(
      `the data URI ${shortDataUri(uri)} is longer than ${MAX_CHARACTERS} characters; give the image as a file`,
      { code: 'too_large' },
    );
  }
  const head = uri.slice('data:'.length, comma);
  const data = uri.slice(comma + 1);
  if (!BASE64_MARK.test(head)) return percentDecoded(data);
  const text = data.includes('%') ? Buffer.from(percentDecoded(data)).toString('latin1') : data;
  const digits = text.replace(/[\t\n\f\r ]/gu, '');
  if (!BASE64.test(digits)) throw broken(uri, 'it has characters that are no base64; encode the file again');
  return Buffer.from(digits, 'base64');
}

/** `%XX` as bytes, everything else as the UTF-8 that it is. */
function percentDecoded(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const digits = bytes[at] === PERCENT ? bytes.toString('latin1', at + 1, at + 3) : '';
    const encoded = HEX.test(digits);
    bytes[length++] = encoded ? Number.parseInt(digits, 16) : bytes[at];
    if (encoded) at += 2;
  }
  return bytes.subarray(0, length);
}

const broken = (uri: string, how: string): UserError =>
  new UserError(`the data URI ${shortDataUri(uri)} is broken: ${how}`, { code: 'invalid_image' });
