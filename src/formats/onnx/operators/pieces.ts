/** What converters that build an operator of many steps are written with. */
import type { Attrs, Dtype } from "../../../model/types.js";
import type { OnnxOp } from "../op.js";

/** A tensor, or a number that becomes a scalar constant of its partner's element type. */
export type Piece = string | number;

export class Pieces {
  constructor(readonly op: OnnxOp) {}

  /** The result of an operator of the IR; numbers among the operands become scalar constants. */
  do(ir: string, operands: readonly Piece[], attrs: Attrs = {}): string {
    return this.op.step(ir, ir, this.tensors(ir, operands), attrs);
  }

  /** As `do`, for the step whose result is output 0 of the file's operator. */
  finish(ir: string, operands: readonly Piece[], attrs: Attrs = {}, options: { dtype?: Dtype } = {}): void {
    this.op.emit(ir, this.tensors(ir, operands), attrs, options);
  }

  private tensors(ir: string, operands: readonly Piece[]): string[] {
    // The condition of a choice says nothing about what is chosen.
    const partner = operands.find((o, i) => typeof o === "string" && !(ir === "select" && i === 0)) as
      string | undefined;
    const dtype = partner === undefined ? "f32" : this.op.typeOf(partner).dtype;
    return operands.map((o) => (typeof o === "number" ? this.op.scalar(`${o}`, o, dtype) : o));
  }

  shape(x: string): readonly number[] {
    return this.op.typeOf(x).shape;
  }

  /** Another shape; the batch keeps its axis unless `to` says by -1 where it goes. */
  reshape(x: string, to: readonly number[]): string {
    const { batchAxis } = this.op.typeOf(x);
    const target = to.includes(-1) ? to : to.map((d, i) => (i === batchAxis ? -1 : d));
    return this.do("reshape", [x], { shape: [...target] });
  }

  transpose(x: string, perm: readonly number[]): string {
    return this.do("transpose", [x], { perm: [...perm] });
  }

  /** `size` elements of `axis` from `begin` on, everything of the other axes. */
  part(x: string, axis: number, begin: number, size: number, step = 1): string {
    const { shape, batchAxis } = this.op.typeOf(x);
    return this.do("slice", [x], {
      begin: shape.map((_, i) => (i === axis ? begin : 0)),
      size: shape.map((d, i) => (i === axis ? size : i === batchAxis ? -1 : d)),
      ...(step !== 1 && { steps: shape.map((_, i) => (i === axis ? step : 1)) }),
    });
  }

  /** The numbers of `extent` places along an axis that has `behind` axes behind it. */
  range(extent: number, behind: number, at: (i: number) => number = (i) => i): string {
    const shape = [extent, ...new Array<number>(behind).fill(1)];
    return this.op.literal(
      "range",
      shape,
      Int32Array.from({ length: extent }, (_, i) => at(i)),
    );
  }

  /** Values as f32. */
  float(x: string): string {
    return this.op.typeOf(x).dtype === "f32" ? x : this.do("cast", [x], { to: "f32" });
  }
}
