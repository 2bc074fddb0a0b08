/**
 * The logistic function and the hyperbolic tangent in 16-bit fixed point, as the gemmlowp library computes them and
 * TFLite's recurrent kernels use them: bit by bit, so that simulated layers round where the kernels do.
 * A number with n integer bits is an integer in units of 2^(n - 15).
 */

const MOST = 32767;
const LEAST = -32768;
/** exp(-1/8), 1/3, and exp(-2^k) for k from -2 on, in units of 2^-31. */
const EXP_OF_EIGHTH = constant(1895147668);
const THIRD = constant(715827883);
const EXP_OF_POWERS = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242].map(constant);
/** 48/17 and -32/17, with which Newton's division begins, in units of 2^-29. */
const START = constant(1515870810);
const SLOPE = constant(-1010580540);
/** 1 with 2 integer bits. */
const ONE = 1 << 13;

/** A 32-bit constant in 16 bits, rounded. */
function constant(word: number): number {
  return halved(word, 16);
}

/** x 2^-bits, halves away from zero. */
function halved(x: number, bits: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) / 2 ** bits + 0.5);
}

function saturated(x: number): number {
  return Math.min(Math.max(x, LEAST), MOST);
}

/** The low 16 bits, with their sign. */
function wrapped(x: number): number {
  return (x << 16) >> 16;
}

/** a b 2^-15, rounded, halves up. */
function product(a: number, b: number): number {
  return saturated(Math.floor((a * b + (1 << 14)) / 2 ** 15));
}

/** exp(a) for a in [-1/4, 0), no integer bits: its Taylor series about -1/8. */
function expOfFraction(a: number): number {
  const x = wrapped(a + (1 << 12));
  const x2 = product(x, x);
  const x3 = product(x2, x);
  const x4 = product(x2, x2);
  const higher = halved(wrapped(product(wrapped(halved(x4, 2) + x3), THIRD) + x2), 1);
  return saturated(EXP_OF_EIGHTH + product(EXP_OF_EIGHTH, wrapped(x + higher)));
}

/** exp(a) for a <= 0 with `integerBits`; the result has none. */
function expOfNegative(a: number, integerBits: number): number {
  const fractionBits = 15 - integerBits;
  if (a === 0) return MOST;
  if (a < -32 * 2 ** fractionBits) return 0;
  const quarter = 2 ** (fractionBits - 2);
  const fraction = (a & (quarter - 1)) - quarter;
  const rest = fraction - a;
  let result = expOfFraction(saturated(fraction * 2 ** integerBits));
  EXP_OF_POWERS.forEach((factor, k) => {
    const exponent = k - 2;
    if (integerBits > exponent && rest & (2 ** (fractionBits + exponent))) result = product(result, factor);
  });
  return result;
}

/** 2 / (1 + a) for a in [0, 1) without integer bits, with 2 of them: three of Newton's steps. */
function twiceReciprocal(a: number): number {
  const denominator = halved(a + MOST, 1);
  let x = wrapped(START + product(denominator, SLOPE));
  for (let i = 0; i < 3; i++) {
    const error = wrapped(ONE - product(denominator, x));
    x = wrapped(x + saturated(product(x, error) * 4));
  }
  return x;
}

/** 1 / (1 + exp(-a)), a with 3 integer bits, the result without. */
export function logistic(a: number): number {
  if (a === 0) return 1 << 14;
  const positive = saturated(twiceReciprocal(expOfNegative(-Math.abs(a), 3)) * 2);
  return a > 0 ? positive : MOST - positive;
}

/** tanh(a), a with `integerBits`, the result without. */
export function hyperbolicTangent(a: number, integerBits: number): number {
  if (a === 0) return 0;
  const t = saturated((twiceReciprocal(expOfNegative(-Math.abs(a), integerBits + 1)) - ONE) * 4);
  return a > 0 ? t : -t;
}

/** What a function gives for each 16-bit integer, from the lowest, as reals. */
export function tableOf(f: (a: number) => number): Float32Array {
  return Float32Array.from({ length: MOST - LEAST + 1 }, (_, i) => f(i + LEAST) / 2 ** 15);
}
