import type { OpDef, VjpContext } from "../../define-op.js";
import type { Attrs, TensorType } from "../../types.js";
import { getOp } from "../index.js";

interface Entry {
  readonly def: OpDef;
  readonly attrs: Attrs;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * Nodes that a gradient rule adds and that know their own gradients: an operator that other operators can express is
 * differentiated by writing it down.
 */
export class Tape {
  private readonly types = new Map<string, TensorType>();
  private readonly entries: Entry[] = [];
  private readonly dependent = new Set<string>();

  constructor(private readonly g: VjpContext<unknown>) {
    g.inputs.forEach((name, i) => {
      this.types.set(name, g.inputTypes[i]!);
      if (g.wanted[i]) this.dependent.add(name);
    });
  }

  typeOf(name: string): TensorType {
    return this.types.get(name)!;
  }

  constant(shape: readonly number[], data: Float32Array): string {
    const name = this.g.constant(shape, data);
    this.types.set(name, { dtype: "f32", shape, batchAxis: null });
    return name;
  }

  /** Adds a node of one output. */
  emit(op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    const def = getOp(op);
    const parsed = def.attrs.parse(attrs) as Attrs;
    const outputs = this.g.emit(op, inputs, attrs);
    const types = def.infer(
      inputs.map((name) => this.typeOf(name)),
      parsed,
    );
    outputs.forEach((name, i) => this.types.set(name, types[i]!));
    if (inputs.some((name) => this.dependent.has(name))) for (const name of outputs) this.dependent.add(name);
    this.entries.push({ def, attrs: parsed, inputs, outputs });
    return outputs[0]!;
  }

  /** Gradients of the rule's own inputs, from the gradients of what was written down. */
  gradients(seeds: readonly (readonly [tensor: string, gradient: string])[]): (string | null)[] {
    const total = new Map<string, string>();
    const add = (name: string, gradient: string): void => {
      const sum = total.get(name);
      total.set(name, sum === undefined ? gradient : this.g.emit("add", [sum, gradient])[0]!);
    };
    for (const [name, gradient] of seeds) add(name, gradient);
    for (const { def, attrs, inputs, outputs } of [...this.entries].reverse()) {
      const gradOutputs = outputs.map((name) => total.get(name) ?? null);
      if (gradOutputs.every((d) => d === null) || !inputs.some((name) => this.dependent.has(name))) continue;
      const results = def.vjp!({
        attrs,
        inputs,
        outputs,
        inputTypes: inputs.map((name) => this.typeOf(name)),
        outputTypes: outputs.map((name) => this.typeOf(name)),
        gradOutputs,
        wanted: inputs.map((name) => this.dependent.has(name)),
        emit: (op, operands, a) => this.g.emit(op, operands, a),
        constant: (shape, data) => this.g.constant(shape, data),
      });
      results.forEach((gradient, k) => {
        if (gradient !== null && this.dependent.has(inputs[k]!)) add(inputs[k]!, gradient);
      });
    }
    // An operand that stands in several places has its whole gradient in the first.
    return this.g.inputs.map((name, i, all) =>
      this.g.wanted[i] && all.indexOf(name) === i ? (total.get(name) ?? null) : null,
    );
  }
}
