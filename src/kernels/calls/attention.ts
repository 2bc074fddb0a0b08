import { defineCalls, type Operand } from "../define-calls.js";
import { broadcastStrides } from "../strided.js";

interface AttentionAttrs {
  readonly heads: number;
  readonly kvHeads: number;
  readonly scale: number;
  readonly causal: boolean;
}

/**
 * Scratch bytes of the kernel: 8 queries [d, 8], their scores [keys, 8], sums [8], outputs [4, 8], and the last columns of
 * the values [keys, 8] where a head has no multiple of 8 of them.
 */
export function attentionScratch(keys: number, d: number, dv: number): number {
  return 32 * (d + keys + 1 + 4 + (dv % 8 === 0 ? 0 : keys));
}

/** Distance from sample to sample, 0 where all have the same, and from token to token. */
const rows = ({ shape, strides }: Operand): [number, number] => [shape[0] === 1 ? 0 : strides[0]!, strides[1]!];

export const attention = defineCalls({
  ops: ["attention"],
  calls({ attrs, inputs, outputs: [y], temp, call }) {
    const [q, k, v, mask] = inputs as [Operand, Operand, Operand, Operand?];
    const { heads, kvHeads, scale, causal } = attrs as unknown as AttentionAttrs;
    const [n, tokens] = y!.shape as [number, number];
    const keys = k.shape[1]!;
    const [d, dv] = [q.shape[2]! / heads, v.shape[2]! / kvHeads];
    const scratch = temp(attentionScratch(keys, d, dv));
    const masked = mask ? broadcastStrides(mask, [n, heads, tokens, keys]) : [0, 0, 0, 0];
    call(
      "attention",
      "attention",
      ...[q.address, k.address, v.address, mask?.address ?? 0, y!.address, scratch],
      ...[n, heads, kvHeads, tokens, keys, d, dv],
      ...[...rows(q), ...rows(k), ...rows(v), ...rows(y!)],
      ...masked,
      scale,
      causal ? 1 : 0,
    );
  },
});
