// Accuracy of emitted packages on real data sets, beside what the reference runtimes reach on the same files.
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";

/** How far from the reference runtime's accuracy a package may be. */
export const ACCURACY_BOUND = 0.002;

function csvRows(file) {
  const text = gunzipSync(readFileSync(file)).toString("utf8").trim();
  const rows = text.split(/\r?\n/).map((line) => line.split(",").map(Number));
  return { labels: rows.map(([label]) => label), inputs: rows.map(([, ...values]) => Float32Array.from(values)) };
}

/** CIFAR-10's binary records: a label, then 1,024 bytes of each of red, green and blue; networks want them interleaved. */
function cifar(file) {
  const bytes = gunzipSync(readFileSync(file));
  const [labels, inputs] = [[], []];
  for (let at = 0; at < bytes.length; at += 3073) {
    labels.push(bytes[at]);
    inputs.push(Float32Array.from({ length: 3072 }, (_, i) => bytes[at + 1 + (i % 3) * 1024 + Math.floor(i / 3)]));
  }
  return { labels, inputs };
}

function keywords(folder) {
  const lines = readFileSync(path.join(folder, "y_labels.csv"), "utf8").trim().split("\n");
  const labels = lines.map((line) => Number(line.split(",")[2]));
  const all = Float32Array.from(
    new Int8Array(readFileSync(path.join(folder, "features-i8-1000x49x10.bin"))),
    (q) => (q - 83) * 0.5847029,
  );
  return { labels, inputs: labels.map((_, i) => all.subarray(i * 490, (i + 1) * 490)) };
}

/** `reached`: by the reference runtime, from the data's own README. */
export const ACCURACIES = [
  {
    model: "mlperf-tiny/pretrainedResnet.tflite",
    files: ["cifar10/test_batch_first1000.bin.gz"],
    data: "CIFAR-10, 1,000 test images",
    read: cifar,
    reached: 0.881,
  },
  {
    model: "mlperf-tiny/pretrainedResnet_large_float.tflite",
    files: ["cifar10/test_batch_first1000.bin.gz"],
    data: "CIFAR-10, 1,000 test images",
    read: cifar,
    reached: 0.915,
  },
  {
    model: "mlperf-tiny/kws_ref_model_float32.tflite",
    files: ["kws01"],
    data: "kws01, 1,000 spectrograms",
    read: keywords,
    reached: 0.9,
  },
  {
    model: "hand-gesture/keypoint_classifier.tflite",
    files: ["hand-gesture/keypoint.csv.gz"],
    data: "key points, 4,450 rows",
    read: csvRows,
    reached: 0.965,
  },
  {
    model: "hand-gesture/point_history_classifier.tflite",
    files: ["hand-gesture/point_history.csv.gz"],
    data: "point history, 5,296 rows",
    read: csvRows,
    reached: 0.962,
  },
];

/**
 * Emits a model and classifies a whole data set with the package.
 * @param data folder of the shared data
 * @param out an empty folder for the package
 */
export async function packageAccuracy(library, { model, files, read, reached, data: title }, { data, out }) {
  const graph = await library.readModel(path.join(data, "models", model));
  await library.emit(graph, { out, name: "checked" });
  const { load } = await import(pathToFileURL(path.join(out, "node.js")).href);
  const network = await load({ variant: "simd" });
  const [input, output] = [network.inputs[0].name, network.outputs[0].name];
  const { labels, inputs } = read(path.join(data, files[0]));
  let right = 0;
  inputs.forEach((values, i) => {
    const scores = network.run({ [input]: values })[output].data;
    if (scores.indexOf(Math.max(...scores)) === labels[i]) right++;
  });
  const accuracy = right / labels.length;
  return {
    model,
    data: title,
    samples: labels.length,
    reached,
    accuracy,
    passes: Math.abs(accuracy - reached) <= ACCURACY_BOUND,
  };
}
