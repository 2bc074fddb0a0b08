/**
 * Recurrent layers over a whole sequence, f32, batches in rows; one call walks over time.
 *
 *   lstm(g, r, h, c, p, y, steps, batch, units, reverse, yStep, yRow, f, k, o, alpha, beta, clip, cellClip)
 *   gru(g, r, h, s, y, steps, batch, units, reverse, yStep, yRow, f, k, alpha, beta, clip, linear)
 *   rnn(g, r, h, y, steps, batch, units, reverse, yStep, yRow, f, alpha, beta, clip)
 *
 * g: products of the inputs with their weights, bias in, [steps][batch][gates][units padded to 4]; overwritten.
 * r: panels of the recurrent weights with their bias (src/kernels/weights.ts), gate after gate, each padded to whole panels.
 * h, c: states [batch][units padded to 4], the first ones at the start, the last ones at the end; padding is and stays 0.
 * y: hidden states of every step, yStep and yRow bytes apart. p: peepholes [3][units padded], 0 for none. s: scratch like h.
 * f, k, o: kinds of activations (REC_...); hard sigmoid alpha x + beta. clip, cellClip: infinity for none.
 * Gates: i, o, f, c (lstm); z, r, h (gru). Order of the sums: see conv.ts, with the input's product as its residual.
 */
import { conv } from "./conv";
import { tanh4 } from "./math";
import { sigmoid4 } from "./simd";

export const REC_SIGMOID: i32 = 0;
export const REC_TANH: i32 = 1;
export const REC_RELU: i32 = 2;
export const REC_HARD_SIGMOID: i32 = 3;
export const REC_LINEAR: i32 = 4;

function activation(kind: i32, x: v128, alpha: f32, beta: f32, clip: f32): v128 {
  x = f32x4.max(f32x4.splat(-clip), f32x4.min(f32x4.splat(clip), x));
  if (kind == REC_SIGMOID) return sigmoid4(x);
  if (kind == REC_TANH) return tanh4(x);
  const zero = f32x4.splat(0);
  if (kind == REC_RELU) return f32x4.max(zero, x);
  if (kind == REC_LINEAR) return x;
  return f32x4.max(zero, f32x4.min(f32x4.splat(1), f32x4.add(f32x4.mul(x, f32x4.splat(alpha)), f32x4.splat(beta))));
}

/** y (+)= h * r for every row of a batch: `panels` panels from w on; y holds what is added where `add` is set. */
// @ts-ignore: decorator
@inline
function recur(h: usize, w: usize, y: usize, add: bool, batch: i32, panels: i32, units: i32, row: usize, yRow: usize): void {
  conv(h, w, y, add ? y : 0, 1, batch, panels, 0, row, 0, yRow, 0, yRow, <usize>units << 2, 1, 0, 1, 0, 0);
}

/** Bytes of one gate of one sample. */
// @ts-ignore: decorator
@inline
function gateBytes(units: i32): usize {
  return <usize>((units + 3) & ~3) << 2;
}

// @ts-ignore: decorator
@inline
function emit(h: usize, y: usize, batch: i32, units: i32, row: usize, yRow: usize): void {
  for (let b = 0; b < batch; b++) memory.copy(y + <usize>b * yRow, h + <usize>b * row, <usize>units << 2);
}

export function lstm(
  g: usize, r: usize, h: usize, c: usize, p: usize, y: usize, steps: i32, batch: i32, units: i32, reverse: i32,
  yStep: usize, yRow: usize, f: i32, k: i32, o: i32, alpha: f32, beta: f32, clip: f32, cellClip: f32,
): void {
  const row = gateBytes(units), all = row << 2, bytes = all * <usize>batch;
  const panels = <i32>(all >> 4);
  const most = f32x4.splat(cellClip), least = f32x4.splat(-cellClip);
  const unclipped: f32 = Infinity;
  for (let n = 0; n < steps; n++) {
    const t = <usize>(reverse ? steps - 1 - n : n);
    const z = g + t * bytes;
    recur(h, r, z, true, batch, panels, units, row, all);
    for (let b: usize = 0; b < <usize>batch; b++) {
      const gates = z + b * all, hb = h + b * row, cb = c + b * row;
      for (let u: usize = 0; u < row; u += 16) {
        let cell = v128.load(cb + u);
        let zi = v128.load(gates + u), zo = v128.load(gates + row + u), zf = v128.load(gates + 2 * row + u);
        if (p) {
          zi = f32x4.add(zi, f32x4.mul(v128.load(p + u), cell));
          zf = f32x4.add(zf, f32x4.mul(v128.load(p + 2 * row + u), cell));
        }
        const input = activation(f, zi, alpha, beta, clip), forget = activation(f, zf, alpha, beta, clip);
        const next = activation(k, v128.load(gates + 3 * row + u), alpha, beta, clip);
        cell = f32x4.add(f32x4.mul(forget, cell), f32x4.mul(input, next));
        cell = f32x4.max(least, f32x4.min(most, cell));
        if (p) zo = f32x4.add(zo, f32x4.mul(v128.load(p + row + u), cell));
        const output = activation(f, zo, alpha, beta, clip);
        v128.store(cb + u, cell);
        v128.store(hb + u, f32x4.mul(output, activation(o, cell, alpha, beta, unclipped)));
      }
    }
    emit(h, y + t * yStep, batch, units, row, yRow);
  }
}

export function gru(
  g: usize, r: usize, h: usize, s: usize, y: usize, steps: i32, batch: i32, units: i32, reverse: i32,
  yStep: usize, yRow: usize, f: i32, k: i32, alpha: f32, beta: f32, clip: f32, linear: i32,
): void {
  const row = gateBytes(units), all = 3 * row, bytes = all * <usize>batch;
  const panels = <i32>(row >> 4);
  // Panels of the hidden gate: after those of z and r, each of 1 + units rows.
  const hidden = r + 2 * <usize>panels * <usize>(units + 1) * 16;
  const one = f32x4.splat(1);
  for (let n = 0; n < steps; n++) {
    const t = <usize>(reverse ? steps - 1 - n : n);
    const z = g + t * bytes;
    recur(h, r, z, true, batch, 2 * panels, units, row, all);
    if (linear) {
      recur(h, hidden, s, false, batch, panels, units, row, row);
    } else {
      for (let b: usize = 0; b < <usize>batch; b++) {
        for (let u: usize = 0; u < row; u += 16) {
          const reset = activation(f, v128.load(z + b * all + row + u), alpha, beta, clip);
          v128.store(s + b * row + u, f32x4.mul(reset, v128.load(h + b * row + u)));
        }
      }
      recur(s, hidden, z + 2 * row, true, batch, panels, units, row, all);
    }
    for (let b: usize = 0; b < <usize>batch; b++) {
      const gates = z + b * all, hb = h + b * row;
      for (let u: usize = 0; u < row; u += 16) {
        const update = activation(f, v128.load(gates + u), alpha, beta, clip);
        let x = v128.load(gates + 2 * row + u);
        if (linear) {
          const reset = activation(f, v128.load(gates + row + u), alpha, beta, clip);
          x = f32x4.add(x, f32x4.mul(reset, v128.load(s + b * row + u)));
        }
        const next = activation(k, x, alpha, beta, clip);
        const kept = f32x4.mul(update, v128.load(hb + u));
        v128.store(hb + u, f32x4.add(f32x4.mul(f32x4.sub(one, update), next), kept));
      }
    }
    emit(h, y + t * yStep, batch, units, row, yRow);
  }
}

export function rnn(
  g: usize, r: usize, h: usize, y: usize, steps: i32, batch: i32, units: i32, reverse: i32,
  yStep: usize, yRow: usize, f: i32, alpha: f32, beta: f32, clip: f32,
): void {
  const row = gateBytes(units), bytes = row * <usize>batch;
  for (let n = 0; n < steps; n++) {
    const t = <usize>(reverse ? steps - 1 - n : n);
    const z = g + t * bytes;
    recur(h, r, z, true, batch, <i32>(row >> 4), units, row, row);
    for (let u: usize = 0; u < bytes; u += 16) v128.store(h + u, activation(f, v128.load(z + u), alpha, beta, clip));
    emit(h, y + t * yStep, batch, units, row, yRow);
  }
}
