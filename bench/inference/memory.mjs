// How much WebAssembly memory is alive: every memory that instances bring or are given, seen from before they start.

/** Watches from now on; the result gives the bytes of all memories seen so far. */
export function watchMemories() {
  const memories = new Set();
  const note = (instance, imports) => {
    const imported = Object.values(imports ?? {}).flatMap((module) => Object.values(module));
    for (const value of [...imported, ...Object.values(instance.exports)]) {
      if (value instanceof WebAssembly.Memory) memories.add(value);
    }
  };
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (source, imports) => {
      const result = await original.call(WebAssembly, source, imports);
      note(result.instance ?? result, imports);
      return result;
    };
  }
  return () => [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
}
