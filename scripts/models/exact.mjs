// Graphs in f64 with something done to every node: what one has to expect of f32, and of 8-bit weights.

/** One rounding to f32. */
const ROUNDING = 2 ** -24;
/** Operators whose results are sums of products: the sum of the magnitudes bounds what rounding can do. */
const SUMS = new Set([
  "conv2d",
  "depthwise_conv2d",
  "conv_transpose2d",
  "dense",
  "matmul",
  "add",
  "sub",
  "reduce_sum",
  "reduce_mean",
]);

/**
 * Evaluates at batch 1. `operands(node, values)` may replace a node's operands, `results(node, values, operands)` its
 * results; both are lists of `{ data: Float64Array, shape }`. Returns the outputs in the order of the ports.
 */
export function evaluate(library, graph, inputs, { operands = (_, list) => list, results = (_, list) => list }) {
  const values = new Map();
  for (const [name, { data, type }] of graph.tensors) {
    if (data) values.set(name, { data: Float64Array.from(data, Number), shape: type.shape, dtype: type.dtype });
  }
  graph.inputs.forEach(({ tensor }, i) => {
    const { data, shape, dtype } = inputs[i];
    values.set(tensor, { data: Float64Array.from(data, Number), shape, dtype });
  });
  for (const node of graph.nodes) {
    const own = operands(
      node,
      node.inputs.map((name) => values.get(name)),
    );
    const types = node.outputs.map((name) => graph.tensors.get(name).type);
    const computed = library
      .getOp(node.op)
      .reference(
        own,
        node.attrs,
        types.map((type) => library.shapeAt(type, 1)),
      )
      .map((array, i) => ({ ...array, dtype: types[i].dtype }));
    results(node, computed, own).forEach((array, i) => values.set(node.outputs[i], array));
  }
  return graph.outputs.map(({ tensor }) => values.get(tensor));
}

/** For each element of each result the size of the terms that it is made of. */
function termSizes(library, node, results, operands) {
  if (!SUMS.has(node.op)) return results;
  const absolute = operands.map((x) => ({ ...x, data: x.data.map(Math.abs) }));
  return library.getOp(node.op).reference(
    absolute,
    node.attrs,
    results.map((x) => x.shape),
  );
}

/** How often a result is rounded, at most: 0 where it is exact. */
function roundings(library, node, operands) {
  const types = operands.map(({ shape, dtype = "f32" }) => ({ dtype, shape, batchAxis: null }));
  const tolerance = library.getOp(node.op).tolerance(types, node.attrs);
  return tolerance.kind === "exact" ? 0 : tolerance.count;
}

const furthest = (a, b) => a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0);

/**
 * How far f32 moves each output: every result is disturbed, in directions drawn at random, by one rounding of the size of
 * its terms. What the roundings of a sum come to lies about there: those of K terms of mixed signs come to a third of it,
 * of K terms of one sign to a quarter of the square root of K.
 */
export function roundingSensitivity(library, graph, inputs, seed = 1) {
  const random = new library.Random(seed);
  const results = (node, list, own) => {
    if (roundings(library, node, own) === 0) return list;
    const sizes = termSizes(library, node, list, own);
    const moved = (v, size) => v + (random.int(2) ? ROUNDING : -ROUNDING) * Math.abs(size);
    return list.map((x, k) => ({ ...x, data: x.data.map((v, i) => moved(v, sizes[k].data[i])) }));
  };
  const exact = evaluate(library, graph, inputs, {});
  const disturbed = evaluate(library, graph, inputs, { results });
  return exact.map(({ data }, k) => furthest(data, disturbed[k].data));
}

/**
 * The largest error of any node on the host, given the operands that the host had, as a share of what its operator's
 * tolerance allows. Above 1 a kernel is wrong; below it a difference of the outputs is the network's own.
 */
export async function largestLocalError(library, graph, inputs) {
  const executor = library.createExecutor("wasm", graph, { threads: 1 });
  const named = Object.fromEntries(graph.inputs.map((port, i) => [port.name, inputs[i]]));
  const observed = await executor.observe(
    named,
    graph.nodes.flatMap((node) => node.outputs),
  );
  await executor.close();
  let worst = 0;
  evaluate(library, graph, inputs, {
    results(node, list, own) {
      const allowed = roundings(library, node, own) * ROUNDING;
      const sizes = termSizes(library, node, list, own);
      return list.map((exact, k) => {
        const { data } = observed.get(node.outputs[k]);
        exact.data.forEach((v, i) => {
          const error = Math.abs(Number(data[i]) - v);
          if (error > 1e-30) worst = Math.max(worst, error / (allowed * Math.abs(sizes[k].data[i])));
        });
        // What follows is computed from what the host has.
        return { ...exact, data: Float64Array.from(data, Number) };
      });
    },
  });
  return worst;
}

/**
 * Outputs as TFLite's reference kernels compute them for 8-bit weights beside float activations: the operand of such a
 * node is itself rounded to 127 steps of its largest magnitude, and every result to f32.
 */
export function hybridOutputs(library, graph, inputs) {
  const round = (data) => {
    const step = Math.fround(data.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127);
    return data.map((x) => step * Math.sign(x) * Math.floor(Math.abs(x) / step + 0.5));
  };
  return evaluate(library, graph, inputs, {
    operands: (node, [first, ...rest]) =>
      node.inputs.some((name) => graph.tensors.get(name).data && graph.tensors.get(name).quant)
        ? [{ ...first, data: round(first.data) }, ...rest]
        : [first, ...rest],
    results: (_, list) => list.map((x) => ({ ...x, data: x.data.map(Math.fround) })),
  });
}
