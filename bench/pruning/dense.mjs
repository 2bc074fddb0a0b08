// Dense checkpoints: trained once, kept as ONNX with their accuracy on the validation split beside them.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Seed of initial weights and of the training; pruning runs have seeds of their own. */
const SEED = 1;

/**
 * The checkpoint of a network: its file and the hash of its bytes, which is a part of every run's settings.
 * Trained again only where the network or its training changed.
 */
export async function denseCheckpoint(library, name, network, data, { out, threads, say }) {
  const folder = path.join(out, "dense");
  mkdirSync(folder, { recursive: true });
  const graph = network.build(library, SEED);
  const key = shortHash(library.graphToJson(graph), JSON.stringify(network.dense), data.hash);
  const file = path.join(folder, `${name}-${key}.onnx`);
  if (!existsSync(file)) {
    say(`${name}: training the dense network`);
    const { epochs, batch, lr, weightDecay, augment = "none" } = network.dense;
    const started = performance.now();
    const trained = await library.train(graph, data.train, {
      epochs,
      batch,
      lr,
      seed: SEED,
      ...(threads !== null && { threads }),
      optimizer: { kind: "adamw", weightDecay },
      schedule: "cosine",
      warmupSteps: 50,
      augment,
      loss: { labels: 1 },
      onStep: ({ step, steps, loss, imagesPerSecond }) => {
        if (step % 250 === 0)
          say(`  step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${Math.round(imagesPerSecond)} samples/s`);
      },
    });
    const { accuracy } = await library.evaluate(trained.graph, data.validation);
    say(`${name}: ${(100 * accuracy).toFixed(2)} % on validation, ${minutes(started)} min`);
    const temporary = `${file}.new.onnx`;
    await library.writeModel(trained.graph, temporary, "onnx");
    renameSync(temporary, file);
    writeFileSync(`${file}.json`, `${JSON.stringify({ network: name, validation: accuracy, dense: network.dense })}\n`);
  }
  return { file, hash: shortHash(readFileSync(file)) };
}

const minutes = (since) => ((performance.now() - since) / 60_000).toFixed(1);

export function shortHash(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 12);
}
