/** AssemblyScript of every other step: one call of a kernel with constants, inside loops where it has more axes. */
import {
  binaryForm,
  channelSpan,
  collapse,
  elementRows,
  indexBytes,
  moveLoops,
  broadcastShape,
  type Loop,
} from "./regions.js";
import { axisStrides, hasBorder, imageBytes, rowBytes, tensorBytes, type TensorLayout } from "./layout.js";
import { stepCalls } from "./kernel-step.js";
import { writeCalls } from "./source-calls.js";
import type { Place } from "./source-conv.js";
import { Lines } from "./source-tiles.js";
import type { Step } from "./steps.js";

/** Body of the step's function; `call` notes a kernel function as used and returns its name. */
export function plainBody(
  step: Step,
  weights: number | null,
  place: Place,
  call: (file: string, name: string) => string,
): string {
  const out = new Lines();
  const { layouts } = place.laid;
  const y = layouts.get(step.y)!;
  const to = place.at(step.y);

  /** Calls with `inner` loops given as arguments and further ones written out; addresses move with them. */
  const nest = (
    loops: readonly Loop[],
    inner: number,
    addresses: readonly number[],
    emit: (at: string[], inner: Loop[]) => void,
  ): void => {
    const outer = loops.slice(0, Math.max(0, loops.length - inner));
    const rest = loops.slice(outer.length);
    while (rest.length < inner) rest.unshift({ count: 1, strides: addresses.map(() => 0) });
    const at = addresses.map((address, k) =>
      [String(address), ...outer.map((l, i) => `<usize>i${i} * ${l.strides[k]!}`)]
        .filter((t) => !t.endsWith("* 0"))
        .join(" + "),
    );
    const write = (i: number): void => {
      if (i === outer.length) emit(at, rest);
      else out.block(`for (let i${i} = 0; i${i} < ${outer[i]!.count}; i${i}++)`, () => write(i + 1));
    };
    write(0);
  };
  /** The same call for each image of a batch that is part of the model. */
  const images = (count: number, operands: readonly [number, number][], emit: (at: string[]) => void): void =>
    nest(
      collapse([{ count, strides: operands.map(([, bytes]) => bytes) }]),
      0,
      operands.map(([address]) => address),
      emit,
    );
  const counts = (loops: readonly Loop[]): string => loops.map((l) => l.count).join(", ");
  const strides = (loops: readonly Loop[], k: number): string => loops.map((l) => l.strides[k]!).join(", ");
  const over = (l: TensorLayout): [number, number] => [0, imageBytes(l)];

  switch (step.kind) {
    case "pool": {
      const x = layouts.get(step.x)!;
      const name = call("pool", step.mode === "max" ? "max_pool" : "avg_pool");
      images(
        y.n,
        [
          [place.at(step.x), imageBytes(x)],
          [to, imageBytes(y)],
        ],
        ([a, b]) =>
          out.add(
            `${name}(${a}, ${b}, ${y.h}, ${y.w}, ${y.cs / 4}, ${x.h}, ${x.w}, ${rowBytes(x)}, ${x.cs * 4}, ${rowBytes(y)}, ${y.cs * 4}, ` +
              `${[...step.kernel, ...step.strides, ...step.dilations, step.pads[0], step.pads[1]].join(", ")}` +
              `${step.mode === "avg" ? `, ${step.counted.join(", ")}` : ""});`,
          ),
      );
      break;
    }
    case "unary": {
      const x = layouts.get(step.x)!;
      const { images: n, rows, floats } = elementRows([y, x]);
      const name = call("elementwise", "unary_rows");
      const kind = call("elementwise", `UNARY_${step.op.toUpperCase()}`);
      images(
        n,
        [
          [place.at(step.x), imageBytes(x)],
          [to, imageBytes(y)],
        ],
        ([a, b]) => out.add(`${name}(${kind}, ${a}, ${b}, ${rows}, ${floats}, ${rowBytes(x)}, ${rowBytes(y)});`),
      );
      break;
    }
    case "binary": {
      const a = layouts.get(step.a)!;
      const form = binaryForm(step, layouts);
      const kind = call("elementwise", `BINARY_${step.op.toUpperCase()}`);
      const bLayout = "tensor" in step.b ? layouts.get(step.b.tensor)! : null;
      const bAt = "tensor" in step.b ? place.at(step.b.tensor) : weights!;
      if (form === "scalar") {
        const { images: n, rows, floats } = elementRows([y, a]);
        const name = call("elementwise", "binary_scalar_rows");
        images(
          n,
          [
            [place.at(step.a), imageBytes(a)],
            [to, imageBytes(y)],
          ],
          ([p, q]) =>
            out.add(`${name}(${kind}, ${p}, ${bAt}, ${q}, ${rows}, ${floats}, ${rowBytes(a)}, ${rowBytes(y)});`),
        );
      } else if (form === "same") {
        const { images: n, rows, floats } = elementRows(bLayout ? [y, a, bLayout] : [y, a]);
        const bRow = bLayout ? rowBytes(bLayout) : y.w * y.cs * 4;
        const bImage = bLayout ? imageBytes(bLayout) : y.h * bRow;
        const name = call("elementwise", "binary_rows");
        images(
          n,
          [
            [place.at(step.a), imageBytes(a)],
            [bAt, bImage],
            [to, imageBytes(y)],
          ],
          ([p, b, q]) =>
            out.add(`${name}(${kind}, ${p}, ${b}, ${q}, ${rows}, ${floats}, ${rowBytes(a)}, ${bRow}, ${rowBytes(y)});`),
        );
      } else if (form === "channel") {
        const name = call("elementwise", "binary_rows");
        const pixel = y.cs * 4;
        const loops = collapse([
          { count: y.n, strides: [imageBytes(a), imageBytes(y)] },
          { count: y.h, strides: [rowBytes(a), rowBytes(y)] },
          { count: y.w, strides: [pixel, pixel] },
        ]);
        nest(loops, 1, [place.at(step.a), to], ([p, q], [pixels]) =>
          out.add(
            `${name}(${kind}, ${p}, ${bAt}, ${q}, ${pixels!.count}, ${channelSpan(step, layouts)}, ${pixel}, 0, ${pixel});`,
          ),
        );
      } else {
        const rank = y.shape.length;
        const repeat = (l: { shape: readonly number[] }, own: readonly number[]): number[] => {
          const shape = broadcastShape(l.shape, rank);
          const stridesOfShape = [...new Array<number>(rank - own.length).fill(0), ...own];
          return shape.map((d, axis) => (d === 1 ? 0 : stridesOfShape[axis]!));
        };
        const bShape = "tensor" in step.b ? bLayout!.shape : step.b.shape;
        const bOwn = bLayout ? axisStrides(bLayout) : denseStrides(bShape);
        const [sa, sb, sy] = [repeat(a, axisStrides(a)), repeat({ shape: bShape }, bOwn), axisStrides(y)];
        const loops = collapse(y.shape.map((count, axis) => ({ count, strides: [sa[axis]!, sb[axis]!, sy[axis]!] })));
        const name = call("elementwise", "binary_strided");
        nest(loops, 4, [place.at(step.a), bAt, to], ([p, b, q], inner) =>
          out.add(
            `${name}(${kind}, ${p}, ${b}, ${q}, ${counts(inner)}, ${strides(inner, 0)}, ${strides(inner, 1)}, ${strides(inner, 2)});`,
          ),
        );
      }
      break;
    }
    case "reduce": {
      const x = layouts.get(step.x)!;
      const kind = call("reduce", `REDUCE_${step.op.toUpperCase()}`);
      if (step.axes.length === 2) {
        const name = call("reduce", "reduce_image");
        images(
          x.n,
          [
            [place.at(step.x), imageBytes(x)],
            [to, imageBytes(y)],
          ],
          ([a, b]) =>
            out.add(`${name}(${kind}, ${a}, ${b}, ${x.h}, ${x.w}, ${y.cs / 4}, ${rowBytes(x)}, ${x.cs * 4});`),
        );
        break;
      }
      const axis = step.axes[0]!;
      const xs = axisStrides(x),
        ys = axisStrides(y);
      const others = x.shape.map((count, i) => ({ count, strides: [xs[i]!, ys[i]!] })).filter((_, i) => i !== axis);
      const name = call("reduce", "reduce_strided");
      nest(collapse(others), 3, [place.at(step.x), to], ([a, b], inner) =>
        out.add(
          `${name}(${kind}, ${a}, ${b}, ${counts(inner)}, ${x.shape[axis]!}, ${strides(inner, 0)}, ${xs[axis]!}, ${strides(inner, 1)});`,
        ),
      );
      break;
    }
    case "softmax": {
      const x = layouts.get(step.x)!;
      const xs = axisStrides(x),
        ys = axisStrides(y);
      const others = x.shape
        .map((count, i) => ({ count, strides: [xs[i]!, ys[i]!] }))
        .filter((_, i) => i !== step.axis);
      const name = call("softmax", "softmax_strided");
      nest(collapse(others), 3, [place.at(step.x), to], ([a, b], inner) =>
        out.add(
          `${name}(${a}, ${b}, ${counts(inner)}, ${x.shape[step.axis]!}, ${strides(inner, 0)}, ${xs[step.axis]!}, ` +
            `${strides(inner, 1)}, ${ys[step.axis]!});`,
        ),
      );
      break;
    }
    case "move": {
      const x = layouts.get(step.x)!;
      const loops = moveLoops(step, x, y);
      const from = place.at(step.x) + indexBytes(x, step.xBegin);
      const into = to + indexBytes(y, step.yBegin);
      const last = loops.at(-1);
      if (last && last.count >= 4 && last.strides.every((s) => s === 4)) {
        const name = call("copy", "copy_rows");
        nest(loops.slice(0, -1), 1, [from, into], ([a, b], [rows]) =>
          out.add(`${name}(${a}, ${b}, ${rows!.count}, ${last.count * 4}, ${rows!.strides.join(", ")});`),
        );
      } else {
        const name = call("copy", "copy_strided");
        nest(loops, 4, [from, into], ([a, b], inner) =>
          out.add(`${name}(${a}, ${b}, ${counts(inner)}, ${strides(inner, 0)}, ${strides(inner, 1)});`),
        );
      }
      break;
    }
    case "fill": {
      const name = call("copy", "fill_value");
      const value = Number.isFinite(step.value)
        ? String(step.value)
        : step.value > 0
          ? "Infinity"
          : step.value < 0
            ? "-Infinity"
            : "NaN";
      if (!hasBorder(y)) {
        out.add(`${name}(${to}, ${tensorBytes(y) / 4}, ${value});`);
      } else {
        const loops = collapse([
          { count: y.n, strides: [over(y)[1]] },
          { count: y.h, strides: [rowBytes(y)] },
        ]);
        nest(loops, 0, [to], ([b]) => out.add(`${name}(${b}, ${y.w * y.cs}, ${value});`));
      }
      break;
    }
    case "kernel":
      writeCalls(out, stepCalls(step, weights, layouts, place.at), call);
      break;
    default:
      throw new Error(`internal: no text for a ${step.kind} step`);
  }
  return out.toString();
}

function denseStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let s = 4;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i]!;
  }
  return strides;
}

/** Zeroing before a step writes; see `MemoryPlan.clears`. */
export function clearBody(
  what: "border" | "all",
  layout: TensorLayout,
  buffer: number,
  call: (file: string, name: string) => string,
): string {
  const out = new Lines();
  if (what === "all") return out.add(`memory.fill(${buffer}, 0, ${tensorBytes(layout)});`).toString();
  const name = call("copy", "clear_border");
  out.repeat(layout.n, "image", () => {
    const at = layout.n === 1 ? String(buffer) : `${buffer} + <usize>image * ${imageBytes(layout)}`;
    out.add(`${name}(${at}, ${layout.h}, ${layout.w}, ${layout.cs * 4}, ${layout.border.join(", ")});`);
  });
  return out.toString();
}
