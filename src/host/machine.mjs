// @ts-check
// One WebAssembly memory that runs one plan. Plain JavaScript, so that a worker thread of any Node loads it as it is,
// from the sources as well as from dist/.

/**
 * @param {WebAssembly.Module} module
 * @param {import("./plan.js").Plan} plan
 * @returns {import("./machine.mjs").Machine}
 */
export function createMachine(module, plan) {
  const pages = Math.ceil(plan.bytes / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const abort = () => {
    throw new Error("internal: a host kernel aborted");
  };
  const kernels = /** @type {Record<string, (...args: number[]) => void>} */ (
    new WebAssembly.Instance(module, { env: { memory, abort } }).exports
  );
  const own = /** @type {() => number} */ (/** @type {unknown} */ (kernels.data_end))();
  if (own > plan.firstAddress)
    throw new Error(`internal: the host module's own data ends at ${own}, in the plan's memory`);
  const floats = new Float32Array(memory.buffer);
  const integers = new Int32Array(memory.buffer);
  const bind = (/** @type {import("./plan.js").Call} */ [name, ...args]) => {
    const kernel = kernels[name];
    if (!kernel) throw new Error(`internal: the host module has no kernel ${name}`);
    return () => kernel(...args);
  };
  const calls = plan.calls.map(bind);
  for (const { address, data } of plan.constants)
    (data instanceof Int32Array ? integers : floats).set(data, address / 4);
  for (const call of plan.setup.map(bind)) call();
  return {
    floats,
    kernels,
    run() {
      for (const call of calls) call();
    },
    write(place, data, from, count) {
      const words = place.integer ? integers : floats;
      eachRow(place, count, (at, row, width) => {
        const source = from + row * width;
        for (let i = 0; i < width; i++) words[at + i] = /** @type {number} */ (data[source + i]);
        for (let i = width; i < place.rowFloats; i++) words[at + i] = 0;
      });
    },
    read(place, out, to, count) {
      const words = place.integer ? integers : floats;
      eachRow(place, count, (at, row, width) => {
        const target = to + row * width;
        for (let i = 0; i < width; i++) out[target + i] = /** @type {number} */ (words[at + i]);
      });
    },
  };
}

/**
 * Calls back for each row of the last axis: index of its first float in memory, its number, its width.
 * @param {import("./plan.js").Place} place
 * @param {number} count rows to visit, from the first
 * @param {(at: number, row: number, width: number) => void} visit
 */
function eachRow({ address, shape, strides }, count, visit) {
  const rank = shape.length;
  const width = rank === 0 ? 1 : /** @type {number} */ (shape[rank - 1]);
  const index = new Array(Math.max(0, rank - 1)).fill(0);
  let at = address / 4;
  for (let row = 0; row < count; row++) {
    visit(at, row, width);
    for (let axis = rank - 2; axis >= 0; axis--) {
      const step = /** @type {number} */ (strides[axis]) / 4;
      at += step;
      if (++index[axis] < /** @type {number} */ (shape[axis])) break;
      at -= step * /** @type {number} */ (shape[axis]);
      index[axis] = 0;
    }
  }
}
