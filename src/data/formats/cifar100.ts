import { readCifarRecords } from "../cifar-records.js";
import type { FileFormat } from "../types.js";

/** CIFAR-100, binary version: a coarse label, which is not read, and the fine one. Told by its file names. */
export const cifar100: FileFormat = {
  name: "cifar100",
  summary: "CIFAR-100 binary files (train.bin, test.bin, .gz too)",
  detect: (files) => files.filter((f) => f.name === "train.bin" || f.name === "test.bin"),
  async read(files, { classes = 100 }) {
    const part = (name: string): ReturnType<typeof readCifarRecords> =>
      readCifarRecords(
        files.filter((f) => f.name === name),
        classes,
        2,
      );
    return { train: await part("train.bin"), test: await part("test.bin"), classes, scale: 1, zeroPoint: 0 };
  },
};
