// The float network inside a quantised model: its ports are the tensors behind the integers of the interface.

/**
 * Takes off the `dequantize` of each input and the `quantize` of each output. `toFloat(inputs)` turns recorded inputs,
 * in the order of the ports, into those of the float network. Ports that something else reads stay as they are.
 */
export function floatForm(graph) {
  const gone = new Set();
  const conversions = [];
  const uses = (tensor) => graph.nodes.filter((node) => node.inputs.includes(tensor));
  const inputs = graph.inputs.map((port, i) => {
    const readers = uses(port.tensor);
    if (readers.length !== 1 || readers[0].op !== "dequantize" || readers[0].attrs.axis !== null) return port;
    const [node] = readers;
    gone.add(node);
    conversions[i] = node.attrs;
    return { ...port, tensor: node.outputs[0] };
  });
  const outputs = graph.outputs.map((port) => {
    const node = graph.nodes.find((n) => n.outputs[0] === port.tensor);
    if (node?.op !== "quantize" || uses(port.tensor).length > 0) return port;
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
