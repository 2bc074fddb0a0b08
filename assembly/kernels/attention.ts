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
 * difference from the largest 1, its exponential 4; each of these in numerator and denominator. The sums over keys have keys
 * each, the quotient 1.
 */
import { madd } from "./simd";

/** Tokens of a block. */
const BLOCK: i32 = 8;

export function attention(
  q: usize, k: usize, v: usize, mask: usize, y: usize, s: usize, n: i32, heads: i32, groups: i32, tokens: i32, keys: i32,
  d: i32, dv: i32, qn: usize, qt: usize, kn: usize, kt: usize, vn: usize, vt: usize, yn: usize, yt: usize,
  mn: usize, mh: usize, mt: usize, mk: usize, scale: f32, causal: i32,
): void {
  const scores = s + (<usize>d << 5), sums = scores + (<usize>keys << 5), part = sums + 32, tail = part + 128;
  const shared = heads / groups;
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
        turn(qh + <usize>t * qt, qt, s, rows, d, scale);
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
  for (; j + 4 <= keys; j += 4, k += 4 * kt, scores += 128) products4(k, kt, q, scores, d);
  for (; j < keys; j++, k += kt, scores += 32) products1(k, q, scores, d);
}

function products4(k: usize, kt: usize, q: usize, y: usize, d: i32): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  const k2 = kt * 2, k3 = kt * 3;
  for (const end = q + (<usize>d << 5); q < end; q += 32, k += 4) {
    const w0 = v128.load(q), w1 = v128.load(q, 16);
    let x = v128.load32_splat(k);
    c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
    x = v128.load32_splat(k + kt);
    c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
    x = v128.load32_splat(k + k2);
    c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
    x = v128.load32_splat(k + k3);
    c30 = madd(x, w0, c30); c31 = madd(x, w1, c31);
  }
  v128.store(y, c00); v128.store(y, c01, 16);
  v128.store(y, c10, 32); v128.store(y, c11, 48);
  v128.store(y, c20, 64); v128.store(y, c21, 80);
  v128.store(y, c30, 96); v128.store(y, c31, 112);
}

function products1(k: usize, q: usize, y: usize, d: i32): void {
  let c0 = f32x4.splat(0), c1 = c0;
  for (const end = q + (<usize>d << 5); q < end; q += 32, k += 4) {
    const x = v128.load32_splat(k);
    c0 = madd(x, v128.load(q), c0);
    c1 = madd(x, v128.load(q, 16), c1);
  }
  v128.store(y, c0);
  v128.store(y, c1, 16);
}

function add_mask(scores: usize, mask: usize, mt: usize, mk: usize, rows: i32, keys: i32): void {
  if (mt == 0) {
    for (let j = 0; j < keys; j++, scores += 32, mask += mk) {
      const m = v128.load32_splat(mask);
      v128.store(scores, f32x4.add(v128.load(scores), m));
      v128.store(scores, f32x4.add(v128.load(scores, 16), m), 16);
    }
    return;
  }
  for (let r = 0; r < rows; r++, mask += mt) {
    for (let j = 0, p = scores + (<usize>r << 2), m = mask; j < keys; j++, p += 32, m += mk) {
      store<f32>(p, load<f32>(p) + load<f32>(m));
    }
  }
}

/** Keys that come after a token; `first` is the block's first token. */
function hide(scores: usize, keys: i32, first: i32): void {
  for (let j = first + 1; j < keys; j++) {
    for (let r = 0, p = scores + (<usize>j << 5); r < j - first; r++, p += 4) store<f32>(p, -Infinity);
  }
}

/** Scores to e^(score - max), and by token their sums, or 1 where all are 0. */
function weigh(scores: usize, sums: usize, keys: i32): void {
  const end = scores + (<usize>keys << 5);
  // At least the smallest finite number, so that the difference from a row of nothing but -Infinity is -Infinity.
  let m0 = f32x4.splat(-f32.MAX_VALUE), m1 = m0;
  for (let p = scores; p < end; p += 32) {
    m0 = f32x4.max(m0, v128.load(p));
    m1 = f32x4.max(m1, v128.load(p, 16));
  }
  let s0 = f32x4.splat(0), s1 = s0;
  for (let p = scores; p < end; p += 32) {
    const e0 = weight(f32x4.sub(v128.load(p), m0)), e1 = weight(f32x4.sub(v128.load(p, 16), m1));
    v128.store(p, e0);
    v128.store(p, e1, 16);
    s0 = f32x4.add(s0, e0);
    s1 = f32x4.add(s1, e1);
  }
  const zero = f32x4.splat(0), one = f32x4.splat(1);
  v128.store(sums, v128.bitselect(one, s0, f32x4.eq(s0, zero)));
  v128.store(sums, v128.bitselect(one, s1, f32x4.eq(s1, zero)), 16);
}

/**
 * e^x for x <= 0; below -87.3, where it is no normal number, 0. As `exp4` of simd.ts, with multiply-adds: |x - n ln 2| <= 0.3466,
 * Taylor to degree 7. Error: relative, at most 4 u.
 */
// @ts-ignore: decorator
@inline
function weight(x: v128): v128 {
  const least = f32x4.splat(-87.3);
  const z = f32x4.max(x, least);
  const n = f32x4.nearest(f32x4.mul(z, f32x4.splat(1.44269504)));
  const r = madd(n, f32x4.splat(2.12194440e-4), madd(n, f32x4.splat(-0.693359375), z));
  let p = f32x4.splat(1.98412698e-4);
  p = madd(p, r, f32x4.splat(1.38888889e-3));
  p = madd(p, r, f32x4.splat(8.33333333e-3));
  p = madd(p, r, f32x4.splat(4.16666667e-2));
  p = madd(p, r, f32x4.splat(1.66666667e-1));
  p = madd(p, r, f32x4.splat(0.5));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, scale), f32x4.lt(x, least));
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
