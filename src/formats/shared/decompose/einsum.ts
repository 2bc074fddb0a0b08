/**
 * Einstein summation, for equations in which no operand repeats an index: transposes, sums, and one matmul (or
 * product) for each further operand. ONNX `Einsum`, TF `Einsum`, Keras `EinsumDense`.
 */
import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { reshapeTo, transposed, type Emitter } from "./emit.js";

/** A tensor and what each of its axes is called. */
interface Term {
  readonly tensor: string;
  readonly labels: readonly string[];
}

interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const TERM = /^[A-Za-z]*(\.\.\.[A-Za-z]*)?$/;

/** Axes of an ellipsis are called by their distance from its end, so that they align from the right. */
const hidden = (distance: number): string => `.${distance}`;

function labelsOf(term: string, ellipsis: number): string[] {
  return [...term.replace("...", "*")].flatMap((label) =>
    label === "*" ? Array.from({ length: ellipsis }, (_, i) => hidden(ellipsis - i)) : [label],
  );
}

/** Labels of all operands and of the result; without "->" the result has what occurs once, in alphabetical order. */
function parse(equation: string, ranks: readonly number[]): Equation | string {
  const [left, right, ...more] = equation.replaceAll(/\s/g, "").split("->");
  const terms = left!.split(",");
  if (more.length > 0 || ![...terms, right ?? ""].every((t) => TERM.test(t))) return `"${equation}" is no equation`;
  if (terms.length !== ranks.length) return `"${equation}" has ${terms.length} operands, there are ${ranks.length}`;
  const inputs: string[][] = [];
  let ellipsis = 0;
  for (const [i, term] of terms.entries()) {
    const open = ranks[i]! - term.replace("...", "").length;
    if (open < 0 || (open > 0 && !term.includes("..."))) return `"${term}" does not name ${ranks[i]} axes`;
    if (term.includes("...")) ellipsis = Math.max(ellipsis, open);
    inputs.push(labelsOf(term, open));
  }
  const all = inputs.flat();
  const once = [...new Set(all)].filter((l) => !l.startsWith(".") && all.indexOf(l) === all.lastIndexOf(l)).sort();
  const output = right === undefined ? [...labelsOf("...", ellipsis), ...once] : labelsOf(right, ellipsis);
  const repeated = [...inputs, output].find((labels) => new Set(labels).size !== labels.length);
  if (repeated) return `"${equation}" repeats an index in one operand`;
  const unknown = output.find((label) => !all.includes(label));
  return unknown === undefined ? { inputs, output } : `"${equation}" gives an index that no operand has`;
}

/** Why an equation cannot be read, or null. */
export function einsumFault(equation: string, ranks: readonly number[]): string | null {
  const parsed = parse(equation, ranks);
  return typeof parsed === "string" ? parsed : null;
}

export function einsum(e: Emitter, equation: string, inputs: readonly string[]): string {
  const parsed = parse(
    equation,
    inputs.map((x) => e.typeOf(x).shape.length),
  );
  if (typeof parsed === "string") throw new IdapError("E_SHAPE", `einsum: ${parsed}`);
  const terms = inputs.map((tensor, i) => ({ tensor, labels: parsed.inputs[i]! }));
  let joined = terms[0]!;
  for (const [i, next] of terms.entries()) {
    if (i === 0) continue;
    joined = join(e, joined, next, [...new Set([...parsed.output, ...terms.slice(i + 1).flatMap((t) => t.labels)])]);
  }
  return arrange(e, sumOver(e, joined, parsed.output), parsed.output).tensor;
}

/** Sums over the axes that are not among `wanted`. */
function sumOver(e: Emitter, { tensor, labels }: Term, wanted: readonly string[]): Term {
  const axes = labels.map((_, axis) => axis).filter((axis) => !wanted.includes(labels[axis]!));
  if (axes.length === 0) return { tensor, labels };
  const { shape, batchAxis } = e.typeOf(tensor);
  if (batchAxis !== null && axes.includes(batchAxis)) throw new IdapError("E_BATCH", "einsum sums over the batch axis");
  const kept = labels.filter((_, axis) => !axes.includes(axis));
  if (axes.every((axis) => shape[axis] === 1)) {
    const to = batchAxis === null ? null : batchAxis - axes.filter((axis) => axis < batchAxis).length;
    const extents = shape.filter((_, axis) => !axes.includes(axis));
    return { tensor: reshapeTo(e, tensor, extents, to), labels: kept };
  }
  return { tensor: e.emit("reduce_sum", [tensor], { axes, keepDims: false }), labels: kept };
}

/** The axes in the order of `labels`. */
function arrange(e: Emitter, term: Term, labels: readonly string[]): Term {
  const perm = labels.map((label) => term.labels.indexOf(label));
  return { tensor: transposed(e, term.tensor, perm), labels };
}

/** Extents of a term's axes, by label. */
function extentsOf(e: Emitter, { tensor, labels }: Term): Map<string, number> {
  const { shape } = e.typeOf(tensor);
  return new Map(labels.map((label, axis) => [label, shape[axis]!]));
}

/**
 * The product of two terms, summed over the indices that are not `wanted` any more. Indices of both that stay run
 * along in front (with broadcasting); the others become the rows and columns of a matmul.
 */
function join(e: Emitter, left: Term, right: Term, wanted: readonly string[]): Term {
  const a = sumOver(e, left, [...wanted, ...right.labels]);
  const b = sumOver(e, right, [...wanted, ...left.labels]);
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const along = wanted.filter((label) => shared.includes(label));
  const summed = shared.filter((label) => !wanted.includes(label));
  const rows = batchFirst(e, a, wanted.filter((label) => a.labels.includes(label) && !shared.includes(label))); // prettier-ignore
  const columns = batchFirst(e, b, wanted.filter((label) => b.labels.includes(label) && !shared.includes(label))); // prettier-ignore
  checkExtents(e, a, b, along, summed);
  return summed.length === 0
    ? product(e, a, b, along, rows, columns)
    : matmul(e, a, b, { along, summed, rows, columns });
}

/** The batch in front of the indices it is merged with, where it can still be told from them. */
function batchFirst(e: Emitter, { tensor, labels }: Term, some: readonly string[]): string[] {
  const { batchAxis } = e.typeOf(tensor);
  const batch = some.filter((label) => labels.indexOf(label) === batchAxis);
  return [...batch, ...some.filter((label) => !batch.includes(label))];
}

function checkExtents(e: Emitter, a: Term, b: Term, along: readonly string[], summed: readonly string[]): void {
  const [da, db] = [extentsOf(e, a), extentsOf(e, b)];
  const [ba, bb] = [a, b].map(({ tensor, labels }) => labels[e.typeOf(tensor).batchAxis ?? -1]);
  for (const label of [...along, ...summed]) {
    const [p, q] = [da.get(label)!, db.get(label)!];
    if (p !== q && (summed.includes(label) || (p !== 1 && q !== 1))) {
      throw new IdapError("E_SHAPE", `einsum: index ${label} has extents ${p} and ${q}`);
    }
    if (summed.includes(label) && (ba === label || bb === label)) {
      throw new IdapError("E_BATCH", "einsum sums over the batch axis");
    }
  }
}

/** Nothing is summed: a product with broadcasting. */
function product(e: Emitter, a: Term, b: Term, along: readonly string[], rows: string[], columns: string[]): Term {
  const left = arrange(e, a, [...along, ...rows]);
  const right = arrange(e, b, [...along, ...columns]);
  const labels = [...along, ...rows, ...columns];
  return { tensor: e.emit("mul", [spread(e, left, labels), spread(e, right, labels)]), labels };
}

/** Axes of extent 1 for the labels that a term does not have; its own are in order. */
function spread(e: Emitter, term: Term, labels: readonly string[]): string {
  const missing = labels.findIndex((label) => !term.labels.includes(label));
  if (missing < 0) return term.tensor;
  const extents = extentsOf(e, term);
  const batch = term.labels[e.typeOf(term.tensor).batchAxis ?? -1];
  const shape = labels.map((label) => extents.get(label) ?? 1);
  return reshapeTo(e, term.tensor, shape, batch === undefined ? null : labels.indexOf(batch));
}

interface Roles {
  readonly along: readonly string[];
  readonly summed: readonly string[];
  readonly rows: readonly string[];
  readonly columns: readonly string[];
}

/** [along, rows, summed] * [along, summed, columns], the groups of indices merged into one axis each. */
function matmul(e: Emitter, a: Term, b: Term, { along, summed, rows, columns }: Roles): Term {
  const [first, transposeA] = operand(e, a, along, rows, summed);
  const [second, transposeB] = operand(e, b, along, columns, summed);
  const y = e.emit("matmul", [first, second], { transposeA, transposeB: !transposeB });
  const extents = new Map([...extentsOf(e, b), ...extentsOf(e, a)]);
  const labels = [...along, ...rows, ...columns];
  const { shape, batchAxis } = e.typeOf(y);
  const out = [...shape.slice(0, along.length), ...[...rows, ...columns].map((label) => extents.get(label)!)];
  if (rows.length === 1 && columns.length === 1) return { tensor: y, labels };
  // A batch that was merged is the first of its group.
  const at = batchAxis === along.length + 1 ? along.length + rows.length : batchAxis;
  return { tensor: reshapeTo(e, y, out, at), labels };
}

/** [along, free, summed] of a term, or [along, summed, free] (true) where its axes lie like that. */
function operand(
  e: Emitter,
  term: Term,
  along: readonly string[],
  free: readonly string[],
  summed: readonly string[],
): [tensor: string, turned: boolean] {
  const turned = free.length > 0 && term.labels[term.labels.length - 1] === free[free.length - 1];
  const inner = turned ? [summed, free] : [free, summed];
  const placed = arrange(e, term, [...along, ...inner.flat()]);
  const extents = extentsOf(e, placed);
  const merged = inner.map((labels) => sizeOf(labels.map((label) => extents.get(label)!)));
  if (free.length === 1 && summed.length === 1) return [placed.tensor, turned];
  const batch = placed.labels[e.typeOf(placed.tensor).batchAxis ?? -1];
  const shape = [...along.map((label) => extents.get(label)!), ...merged];
  const at =
    batch === undefined ? null : along.includes(batch) ? along.indexOf(batch) : along.length + (turned ? 1 : 0);
  return [reshapeTo(e, placed.tensor, shape, at), turned];
}
