/**
 * Attention, f32: y = softmax(scale * q k^T + mask) v for every head, without a tensor of scores.
 *
 *   attention(q, k, v, mask, y, s, n, heads, groups, tokens, keys, d, dv,
 *             qn, qt, kn, kt, vn, vt, yn, yt, mn, mh, mt, mk, scale, causal)
 *
 * q [n, tokens, heads * d], k [n, keys, groups * d], v [n, keys, groups * dv], y [n, tokens, heads * dv]; heads share the
 * keys and values of heads / groups neighbours. Last axes are contiguous; qn .. yt: bytes from sample to sample and from
 * token to token; mask: address and byte strides of [n, heads, tokens, keys], 0 where it repeats; address 0: none.
 * causal: token i sees keys 0 to i. s: scratch, see `attentionScratch` in src/kernels/calls/attention.ts.
 *
 * Eight tokens at a time: their queries are turned round once, so that the lanes of a vector are tokens, and k, v and the
 * outputs are read and written where they lie. The scores of a block, [keys, 8], stay in the first cache; in the softmax
 * no lane meets another. What a mask or the causal limit takes away weighs exactly 0, and a row that has nothing left
 * gives 0. Order: sums over d and over keys ascending, one accumulator each; the sum divides the outputs at the end.
 *
 * Error, in units of u = 2^-24 and relative to max(1, S) * sum of weight * |v|, S the largest sum of |scale q k| + |mask| of a
 * row: 2 (d + 3) + 2 keys + 11. A score has d + 3 (the scale and its product, d for a sum of d products, the mask), the
 * difference from the largest 1, its exponential 3 to 4; each of these in numerator and denominator. The sums over keys have keys
 * each, the quotient 1.
 */
import { tile1x8, tile4x8 } from "./matmul";
import { held, madd, ROUNDER } from "./simd";

/** Tokens of a block. */
const BLOCK: i32 = 8;

/** Scores are kept times log2(e), so that their exponentials are powers of 2. */
const LOG2_E: f32 = 1.44269504;
/** Masks below this hide whatever their factor, and must not become -Infinity, which hides even where all keys are hidden. */
const HIDDEN: f32 = -1e30;

export function attention(
  q: usize, k: usize, v: usize, mask: usize, y: usize, s: usize, n: i32, heads: i32, groups: i32, tokens: i32, keys: i32,
  d: i32, dv: i32, qn: usize, qt: usize, kn: usize, kt: usize, vn: usize, vt: usize, yn: usize, yt: usize,
  mn: usize, mh: usize, mt: usize, mk: usize, scale: f32, causal: i32,
): void {
  const scores = s + (<usize>d << 5), sums = scores + (<usize>keys << 5), part = sums + 32, tail = part + 128;
  const shared = heads / groups, factor = scale * LOG2_E;
  const head = <usize>d << 2, value = <usize>dv << 2, body = dv & ~7;
  for (let b = 0; b < n; b++, q += qn, k += kn, v += vn, y += yn, mask += mn) {
    for (let h = 0; h < heads; h++) {
      const g = <usize>(h / shared);
      const kh = k + g * head, vh = v + g * value, qh = q + <usize>h * head, yh = y + <usize>h * value;
      const mh0 = mask + <usize>h * mh;
      if (body < dv && h % shared == 0) copy_tail(vh + (<usize>body << 2), vt, tail, keys, dv - body);
      for (let t = 0; t < tokens; t += BLOCK) {
        const rows = min<i32>(BLOCK, tokens - t);
        const seen = causal ? min<i32>(keys, t + rows) : keys;
        turn(qh + <usize>t * qt, qt, s, rows, d, factor);
        products(kh, kt, s, scores, seen, d);
        if (mask) add_mask(scores, mh0 + <usize>t * mt, mt, mk, rows, seen);
        if (causal) hide(scores, seen, t);
        weigh(scores, sums, seen);
        const out = yh + <usize>t * yt;
        for (let c = 0; c < dv; c += 8) {
          const last = c == body;
          const from = last ? tail : vh + (<usize>c << 2), step: usize = last ? 32 : vt;
          for (let r = 0; r < rows; r += 4) {
            const to = out + <usize>r * yt + (<usize>c << 2), p = scores + (<usize>r << 2), z = sums + (<usize>r << 2);
            if (!last && r + 4 <= rows) {
              outputs(p, from, step, seen, z, to, yt);
              continue;
            }
            outputs(p, from, step, seen, z, part, 32);
            const bytes = <usize>min<i32>(8, dv - c) << 2;
            for (let i = 0; i < min<i32>(4, rows - r); i++) memory.copy(to + <usize>i * yt, part + (<usize>i << 5), bytes);
          }
        }
      }
    }
  }
}

/** Values of fewer than 8 columns as rows of 8, zeros behind. */
function copy_tail(v: usize, vt: usize, to: usize, keys: i32, columns: i32): void {
  for (let j = 0; j < keys; j++, v += vt, to += 32) {
    v128.store(to, f32x4.splat(0));
    v128.store(to, f32x4.splat(0), 16);
    for (let c = 0; c < columns; c++) store<f32>(to + (<usize>c << 2), load<f32>(v + (<usize>c << 2)));
  }
}

/** Queries of up to 8 tokens, times the scale, as [d, 8]; absent tokens are zeros. */
function turn(q: usize, qt: usize, to: usize, rows: i32, d: i32, scale: f32): void {
  if (rows == BLOCK) {
    turn4(q, qt, to, d, scale);
    turn4(q + 4 * qt, qt, to + 16, d, scale);
    return;
  }
  for (let i = 0; i < d; i++, q += 4, to += 32) {
    v128.store(to, f32x4.splat(0));
    v128.store(to, f32x4.splat(0), 16);
    for (let r = 0, p = q; r < rows; r++, p += qt) store<f32>(to + (<usize>r << 2), load<f32>(p) * scale);
  }
}

function turn4(q: usize, qt: usize, to: usize, d: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  let i = 0;
  for (; i + 4 <= d; i += 4, q += 16, to += 128) {
    const a = v128.load(q), b = v128.load(q + qt), c = v128.load(q + 2 * qt), e = v128.load(q + 3 * qt);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), ce = v128.shuffle<f32>(c, e, 0, 4, 1, 5);
    const ba = v128.shuffle<f32>(a, b, 2, 6, 3, 7), ec = v128.shuffle<f32>(c, e, 2, 6, 3, 7);
    v128.store(to, f32x4.mul(factor, v128.shuffle<f32>(ab, ce, 0, 1, 4, 5)));
    v128.store(to, f32x4.mul(factor, v128.shuffle<f32>(ab, ce, 2, 3, 6, 7)), 32);
    v128.store(to, f32x4.mul(factor, v128.shuffle<f32>(ba, ec, 0, 1, 4, 5)), 64);
    v128.store(to, f32x4.mul(factor, v128.shuffle<f32>(ba, ec, 2, 3, 6, 7)), 96);
  }
  for (; i < d; i++, q += 4, to += 32) {
    for (let r: usize = 0; r < 4; r++) store<f32>(to + (r << 2), load<f32>(q + r * qt) * scale);
  }
}

/** scores[key, token] = sum over i of k[key, i] * q[i, token]. */
function products(k: usize, kt: usize, q: usize, scores: usize, keys: i32, d: i32): void {
  let j = 0;
  for (; j + 4 <= keys; j += 4, k += 4 * kt, scores += 128) tile4x8(k, kt, 4, q, 32, scores, 32, d);
  for (; j < keys; j++, k += kt, scores += 32) tile1x8(k, 4, q, 32, scores, d);
}

// @ts-ignore: decorator
@inline
function exponent(mask: f32): f32 {
  return mask < HIDDEN ? mask : mask * LOG2_E;
}

function add_mask(scores: usize, mask: usize, mt: usize, mk: usize, rows: i32, keys: i32): void {
  if (mt == 0) {
    for (let j = 0; j < keys; j++, scores += 32, mask += mk) {
      const m = f32x4.splat(exponent(load<f32>(mask)));
      v128.store(scores, f32x4.add(v128.load(scores), m));
      v128.store(scores, f32x4.add(v128.load(scores, 16), m), 16);
    }
    return;
  }
  for (let r = 0; r < rows; r++, mask += mt) {
    for (let j = 0, p = scores + (<usize>r << 2), m = mask; j < keys; j++, p += 32, m += mk) {
      store<f32>(p, load<f32>(p) + exponent(load<f32>(m)));
    }
  }
}

/** Keys that come after a token; `first` is the block's first token. */
function hide(scores: usize, keys: i32, first: i32): void {
  for (let j = first + 1; j < keys; j++) {
    for (let r = 0, p = scores + (<usize>j << 5); r < j - first; r++, p += 4) store<f32>(p, -Infinity);
  }
}

/**
 * Scores to 2^(score - max), and by token their sums, or 1 where all are 0. For x <= 0, n = nearest(x), 2^(x - n) by the fit of
 * degree 6 on [-1/2, 1/2], within 0.04 u; below 2^-125, or where a mask has hidden the key, 0. Error: relative, 3 u.
 */
function weigh(scores: usize, sums: usize, keys: i32): void {
  const end = scores + (<usize>keys << 5);
  // At least the smallest finite number, so that the difference from a row of nothing but -Infinity is -Infinity.
  let m0 = f32x4.splat(-f32.MAX_VALUE), m1 = m0;
  for (let p = scores; p < end; p += 32) {
    m0 = f32x4.max(m0, v128.load(p));
    m1 = f32x4.max(m1, v128.load(p, 16));
  }
  const zero = v128.xor(m0, m0), least = held(zero, -125), rounder = held(zero, ROUNDER), one = held(zero, 1);
  const c6 = held(zero, 1.53458095e-4), c5 = held(zero, 1.33999309e-3), c4 = held(zero, 9.61848907e-3);
  const c3 = held(zero, 5.55032864e-2), c2 = held(zero, 0.240226462), c1 = held(zero, 0.693147182);
  let s0 = zero, s1 = zero;
  for (let p = scores; p < end; p += 32) {
    const x0 = f32x4.sub(v128.load(p), m0), x1 = f32x4.sub(v128.load(p, 16), m1);
    const t0 = f32x4.max(x0, least), t1 = f32x4.max(x1, least);
    const n0 = f32x4.add(t0, rounder), n1 = f32x4.add(t1, rounder);
    const r0 = f32x4.sub(t0, f32x4.sub(n0, rounder)), r1 = f32x4.sub(t1, f32x4.sub(n1, rounder));
    let e0 = madd(c6, r0, c5), e1 = madd(c6, r1, c5);
    e0 = madd(e0, r0, c4); e1 = madd(e1, r1, c4);
    e0 = madd(e0, r0, c3); e1 = madd(e1, r1, c3);
    e0 = madd(e0, r0, c2); e1 = madd(e1, r1, c2);
    e0 = madd(e0, r0, c1); e1 = madd(e1, r1, c1);
    e0 = madd(e0, r0, one); e1 = madd(e1, r1, one);
    // 2^n goes into the exponent; times 1 keeps what is no number.
    e0 = f32x4.mul(e0, i32x4.add(i32x4.shl(n0, 23), one));
    e1 = f32x4.mul(e1, i32x4.add(i32x4.shl(n1, 23), one));
    e0 = v128.andnot(e0, f32x4.lt(x0, least));
    e1 = v128.andnot(e1, f32x4.lt(x1, least));
    v128.store(p, e0);
    v128.store(p, e1, 16);
    s0 = f32x4.add(s0, e0);
    s1 = f32x4.add(s1, e1);
  }
  v128.store(sums, v128.bitselect(one, s0, f32x4.eq(s0, zero)));
  v128.store(sums, v128.bitselect(one, s1, f32x4.eq(s1, zero)), 16);
}

/** 4 tokens x 8 columns: y[token] = (sum over keys of weight[key, token] * v[key]) / sum[token]. */
function outputs(p: usize, v: usize, vt: usize, keys: i32, sums: usize, y: usize, yt: usize): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (const end = p + (<usize>keys << 5); p < end; p += 32, v += vt) {
    const w0 = v128.load(v), w1 = v128.load(v, 16);
    let x = v128.load32_splat(p);
    c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
    x = v128.load32_splat(p, 4);
    c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
    x = v128.load32_splat(p, 8);
    c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
    x = v128.load32_splat(p, 12);
    c30 = madd(x, w0, c30); c31 = madd(x, w1, c31);
  }
  let z = v128.load32_splat(sums);
  v128.store(y, f32x4.div(c00, z)); v128.store(y, f32x4.div(c01, z), 16);
  y += yt; z = v128.load32_splat(sums, 4);
  v128.store(y, f32x4.div(c10, z)); v128.store(y, f32x4.div(c11, z), 16);
  y += yt; z = v128.load32_splat(sums, 8);
  v128.store(y, f32x4.div(c20, z)); v128.store(y, f32x4.div(c21, z), 16);
  y += yt; z = v128.load32_splat(sums, 12);
  v128.store(y, f32x4.div(c30, z)); v128.store(y, f32x4.div(c31, z), 16);
}
