/** A decoded picture: RGB, 8 bits a channel, rows of interleaved pixels (height × width × 3 bytes). */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
