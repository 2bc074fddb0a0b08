import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { einsum } from "../../shared/decompose/einsum.js";
import { defineLayer, type LayerCall } from "../layer.js";

const options = z.object({
  num_heads: z.int().positive(),
  key_dim: z.int().positive(),
  value_dim: z.int().positive().nullish(),
  use_bias: z.boolean().default(true),
  output_shape: z.unknown().optional(),
  attention_axes: z.unknown().optional(),
  use_gate: z.boolean().default(false),
});

const PROJECTIONS = ["query", "key", "value"] as const;

/** One operand by position or by name. */
function operand(call: LayerCall, i: number, name: string): string | undefined {
  return call.inputs[i] ?? call.named.get(name);
}

/** x [b, t, i] * kernel [i, heads, d] + bias [heads, d] -> [b, heads, t, d], with the heads in front of the matrices. */
function project(call: LayerCall, x: string, part: string, useBias: boolean): string {
  const { tensor } = call.weight(`${part}/kernel`, 3);
  const y = einsum(call, "btc,cnd->bntd", [x, tensor]);
  if (!useBias) return y;
  const { shape } = call.weightData(`${part}/bias`, 2);
  return call.emit("add", [y, call.weightShaped(`${part}/bias`, [shape[0]!, 1, shape[1]!])]);
}

/** What Keras adds to the scores of keys that are not to be seen. */
const HIDDEN = -1e9;

/** A mask [b, t, s], true where query t may see key s, of all heads. */
function masked(call: LayerCall, scores: string, mask: string): string {
  call.needRank(3, mask);
  const { shape, dtype, batchAxis } = call.typeOf(mask);
  const seen = dtype === "bool" ? mask : call.emit("cast", [mask], { to: "bool" });
  const all = shape.map((d, i) => (i === batchAxis ? -1 : d));
  const one = call.emit("reshape", [seen], { shape: [all[0]!, 1, ...all.slice(1)] });
  return call.emit("add", [scores, call.emit("select", [one, call.scalar(0), call.scalar(HIDDEN)])]);
}

/** softmax(Q K^T / sqrt(key_dim)) V for each head, and a dense layer over all heads. */
export const MultiHeadAttention = defineLayer({
  config: options,
  refuse(c) {
    if (c.output_shape != null) return "an output_shape";
    if (c.use_gate) return "a gate";
    const axes = Array.isArray(c.attention_axes) ? c.attention_axes : [c.attention_axes ?? 1];
    return axes.length === 1 && axes[0] === 1 ? null : "several attention axes";
  },
  variables: (c) =>
    Object.fromEntries(
      [...PROJECTIONS, "output"].map((part) => {
        const called = part === "output" ? "attention_output" : part;
        return [`${part}_dense`, [`${called}/kernel`, ...(c.use_bias ? [`${called}/bias`] : [])]];
      }),
    ),
  read(call, c) {
    const query = operand(call, 0, "query");
    const value = operand(call, 1, "value");
    if (query === undefined || value === undefined || call.inputs.length > 3) {
      throw new IdapError(
        "E_UNSUPPORTED",
        `${call.where} is called with ${call.inputs.length} operands; query, value, key and attention_mask are read`,
      );
    }
    const key = operand(call, 2, "key") ?? value;
    [query, key, value].forEach((x) => call.needRank(3, x));
    const [q, k, v] = [query, key, value].map((x, i) =>
      project(call, call.asFloats(x), PROJECTIONS[i]!, c.use_bias),
    ) as [string, string, string];
    const scaled = call.emit("mul", [q, call.scalar(1 / Math.sqrt(c.key_dim))]);
    const scores = call.emit("matmul", [scaled, k], { transposeA: false, transposeB: true });
    const mask = call.named.get("attention_mask");
    const weights = call.emit("softmax", [mask === undefined ? scores : masked(call, scores, mask)], { axis: 3 });
    const mixed = call.emit("matmul", [weights, v], { transposeA: false, transposeB: false });
    const y = einsum(call, "bntd,ndo->bto", [mixed, call.weight("attention_output/kernel", 3).tensor]);
    return c.use_bias ? call.result("add", [y, call.weight("attention_output/bias", 1).tensor]) : y;
  },
});
