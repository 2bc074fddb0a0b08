/** Expressions of a tensor and numbers, read back from nodes. */
import type { View } from "./rewrite.js";

/** Nodes deeper than this are another expression. */
const DEPTH = 10;

/** scale * base + shift. */
export interface Affine {
  readonly base: string;
  readonly scale: number;
  readonly shift: number;
}

/** A tensor as a multiple of another plus a number, followed as far down as it goes. */
export function affineOf(view: View, name: string, depth = DEPTH): Affine {
  const self = { base: name, scale: 1, shift: 0 };
  const node = depth > 0 ? view.maker(name, "add", "sub", "mul", "neg", "div") : null;
  if (!node) return self;
  const [a, b] = node.inputs as [string, string?];
  const inner = (x: string): Affine => affineOf(view, x, depth - 1);
  if (node.op === "neg") return times(inner(a), -1);
  const right = view.scalar(b!);
  const left = view.scalar(a);
  if (left !== null && node.op !== "div") {
    const x = inner(b!);
    return node.op === "mul" ? times(x, left) : plus(node.op === "sub" ? times(x, -1) : x, left);
  }
  if (right === null) return self;
  switch (node.op) {
    case "mul":
      return times(inner(a), right);
    case "div":
      return right === 0 ? self : times(inner(a), 1 / right);
    default:
      return plus(inner(a), node.op === "add" ? right : -right);
  }
}

function times({ base, scale, shift }: Affine, k: number): Affine {
  return { base, scale: scale * k, shift: shift * k };
}

function plus(a: Affine, k: number): Affine {
  return { ...a, shift: a.shift + k };
}

/**
 * Coefficients, lowest first, of a tensor as a polynomial of degree 3 at most in `x`; null when it is none.
 */
export function polynomialOf(view: View, name: string, x: string, depth = DEPTH): readonly number[] | null {
  if (name === x) return [0, 1];
  const number = view.scalar(name);
  if (number !== null) return [number];
  const node = depth > 0 ? view.maker(name, "add", "sub", "mul", "neg", "pow", "div") : null;
  if (!node) return null;
  const of = (i: number): readonly number[] | null => polynomialOf(view, node.inputs[i]!, x, depth - 1);
  const a = of(0);
  if (!a) return null;
  if (node.op === "neg") return a.map((v) => -v);
  const b = of(1);
  if (!b) return null;
  switch (node.op) {
    case "add":
    case "sub":
      return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
        return (a[i] ?? 0) + (node.op === "add" ? 1 : -1) * (b[i] ?? 0);
      });
    case "mul":
      return product(a, b);
    case "div":
      return b.length === 1 && b[0] !== 0 ? a.map((v) => v / b[0]!) : null;
    default: {
      if (b.length !== 1 || !(b[0] === 2 || b[0] === 3)) return null;
      const square = product(a, a);
      return b[0] === 2 ? square : square && product(square, a);
    }
  }
}

function product(a: readonly number[], b: readonly number[]): number[] | null {
  if (a.length + b.length > 5) return null;
  const out = new Array<number>(a.length + b.length - 1).fill(0);
  a.forEach((p, i) => b.forEach((q, k) => (out[i + k]! += p * q)));
  return out;
}

/** A product of two computed tensors and a number. */
export interface Product {
  readonly factors: readonly [string, string];
  readonly scale: number;
}

/** Every way to read a `mul` as a product of two computed tensors and a number: (a * b) * c is also a * (b * c). */
export function productsOf(view: View, name: string): Product[] {
  const found: Product[] = [];
  for (const { factors, scale } of partitions(view, name, 3)) {
    if (factors.length === 2) found.push({ factors: factors as [string, string], scale });
  }
  return found;
}

interface Partition {
  readonly factors: readonly string[];
  readonly scale: number;
}

function partitions(view: View, name: string, depth: number): Partition[] {
  const scalar = view.scalar(name);
  if (scalar !== null) return [{ factors: [], scale: scalar }];
  const whole: Partition = { factors: [name], scale: 1 };
  const node = depth > 0 ? view.maker(name, "mul") : null;
  if (!node) return [whole];
  const [left, right] = node.inputs.map((input) => partitions(view, input, depth - 1)) as [Partition[], Partition[]];
  const split = left.flatMap((l) =>
    right.map((r) => ({ factors: [...l.factors, ...r.factors], scale: l.scale * r.scale })),
  );
  return [whole, ...split.filter((p) => p.factors.length <= 2)];
}
