// The float network inside a quantised model: its ports are the tensors behind the integers of the interface.

const MOVES = ["reshape", "transpose"];

/**
 * Conversions next to the ports: integers that are moved before they become numbers, or after, become numbers first and
 * last instead.
 */
function outward(given) {
  let graph = given;
  for (const { tensor } of given.inputs) {
    const [move] = readers(graph, tensor);
    const [convert] = readers(graph, move?.outputs[0]);
    if (!MOVES.includes(move?.op) || convert?.op !== "dequantize" || convert.attrs.axis !== null) continue;
    if ([tensor, move.outputs[0]].every((name) => readers(graph, name).length === 1)) {
      graph = exchanged(graph, move, convert, tensor);
    }
  }
  for (const { tensor } of given.outputs) {
    const move = maker(graph, tensor);
    const convert = maker(graph, move?.inputs[0]);
    if (!MOVES.includes(move?.op) || convert?.op !== "quantize") continue;
    if (readers(graph, convert.outputs[0]).length === 1) graph = exchanged(graph, convert, move, tensor);
  }
  return graph;
}

const readers = (graph, tensor) => graph.nodes.filter((node) => node.inputs.includes(tensor));
const maker = (graph, tensor) => graph.nodes.find((node) => node.outputs[0] === tensor);

/** Two nodes in a row the other way round; what is between them then has the shape of a port. */
function exchanged(graph, a, b, port) {
  const between = `${port}/float`;
  const type = { ...graph.tensors.get(port).type, dtype: "f32" };
  const [first, last] = [
    { ...b, inputs: a.inputs, outputs: [between] },
    { ...a, inputs: [between], outputs: b.outputs },
  ];
  const nodes = graph.nodes.flatMap((node) => (node === a ? [] : node === b ? [first, last] : [node]));
  return { ...graph, nodes, tensors: new Map([...graph.tensors, [between, { name: between, type }]]) };
}

/**
 * Takes off the `dequantize` of each input and the `quantize` of each output. `toFloat(inputs)` turns recorded inputs,
 * in the order of the ports, into those of the float network. Ports that something else reads stay as they are.
 */
export function floatForm(given) {
  const graph = outward(given);
  const gone = new Set();
  const conversions = [];
  const inputs = graph.inputs.map((port, i) => {
    const uses = readers(graph, port.tensor);
    if (uses.length !== 1 || uses[0].op !== "dequantize" || uses[0].attrs.axis !== null) return port;
    const [node] = uses;
    gone.add(node);
    conversions[i] = node.attrs;
    return { ...port, tensor: node.outputs[0] };
  });
  const outputs = graph.outputs.map((port) => {
    const node = maker(graph, port.tensor);
    if (node?.op !== "quantize" || readers(graph, port.tensor).length > 0) return port;
    gone.add(node);
    return { ...port, tensor: node.inputs[0] };
  });
  const nodes = graph.nodes.filter((node) => !gone.has(node));
  const left = new Set([...inputs, ...outputs].map((p) => p.tensor));
  for (const node of nodes) for (const tensor of [...node.inputs, ...node.outputs]) left.add(tensor);
  const tensors = new Map([...graph.tensors].filter(([name]) => left.has(name)));
  const toFloat = (values) =>
    values.map((value, i) => {
      const c = conversions[i];
      if (!c) return value;
      const data = Float32Array.from(value.data, (q) => (Number(q) - c.zeroPoint[0]) * c.scale[0]);
      return { data, shape: value.shape, dtype: "f32" };
    });
  return { graph: { ...graph, inputs, outputs, nodes, tensors }, toFloat };
}

/**
 * The same network with an interface of types that LiteRT.js has: it knows neither bool nor int64 tensors. A boolean input
 * comes as i32 and is cast; an output that is cast to i64 at the end stays what it was before.
 */
export function withCommonTypes(graph) {
  const tensors = new Map(graph.tensors);
  const casts = [];
  const inputs = graph.inputs.map((port) => {
    const { type } = tensors.get(port.tensor);
    if (type.dtype !== "bool") return port;
    const tensor = `${port.tensor}/i32`;
    tensors.set(tensor, { name: tensor, type: { ...type, dtype: "i32" } });
    casts.push({ op: "cast", name: tensor, inputs: [tensor], outputs: [port.tensor], attrs: { to: "bool" } });
    return { ...port, tensor };
  });
  const gone = new Set();
  const outputs = graph.outputs.map((port) => {
    const node = graph.nodes.find((n) => n.outputs[0] === port.tensor);
    if (node?.op !== "cast" || tensors.get(port.tensor).type.dtype !== "i64") return port;
    gone.add(node);
    tensors.delete(port.tensor);
    return { ...port, tensor: node.inputs[0] };
  });
  const nodes = [...casts, ...graph.nodes.filter((node) => !gone.has(node))];
  return { ...graph, inputs, outputs, nodes, tensors };
}
