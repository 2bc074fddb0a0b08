type Pads = readonly [number, number, number, number];

/** How far around the image an average's divisor counts zeros as elements: top, left, bottom, right. */
export function countedPads(a: { pads: Pads; countIncludePad?: boolean; padsCounted?: Pads }): Pads {
  return a.countIncludePad ? (a.padsCounted ?? a.pads) : [0, 0, 0, 0];
}
