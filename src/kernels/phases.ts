/** A transposed convolution (the input gradient of a convolution, too) as convolutions of stride 1, one for each phase. */

/** Zeros needed before and after the extent. */
export type Reach = readonly [before: number, after: number];

/**
 * The input gradient of a strided convolution is `stride` interleaved convolutions of dy with stride 1: inputs of the same
 * remainder see the same taps. Of phase f, input f + stride * q reads dy at q + offset, q + offset + step, ...
 */
export interface Phase {
  /** First input of the phase and how many there are. */
  readonly first: number;
  readonly count: number;
  /** Taps that reach these inputs; none when the stride jumps over them. */
  readonly taps: number;
  /** The forward tap that meets the first element read, and the (negative) distance to the next. */
  readonly tap: number;
  readonly tapStep: number;
  /** First element of dy read for q = 0 (may be negative), and the distance to the next. */
  readonly offset: number;
  readonly step: number;
}

export function gradientPhases(extent: number, taps: number, stride: number, dilation: number, pad: number): Phase[] {
  const shared = gcd(stride, dilation);
  const phases: Phase[] = [];
  for (let first = 0; first < Math.min(stride, extent); first++) {
    const hits: number[] = [];
    for (let tap = 0; tap < taps; tap++) if ((first + pad - tap * dilation) % stride === 0) hits.push(tap);
    const last = hits[hits.length - 1] ?? 0;
    phases.push({
      first,
      count: Math.ceil((extent - first) / stride),
      taps: hits.length,
      tap: last,
      tapStep: -(stride / shared),
      offset: (first + pad - last * dilation) / stride,
      step: dilation / shared,
    });
  }
  return phases;
}

/** Zeros that dy needs around it when its `extent` elements are read by the phases. */
export function phaseReach(extent: number, phases: readonly Phase[]): Reach {
  let before = 0;
  let after = 0;
  for (const { taps, offset, step, count } of phases) {
    if (taps === 0) continue;
    before = Math.max(before, -offset);
    after = Math.max(after, count - 1 + offset + (taps - 1) * step - (extent - 1));
  }
  return [before, after];
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
