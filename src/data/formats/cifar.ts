import { readCifarRecords } from "../cifar-records.js";
import type { FileFormat } from "../types.js";

/** CIFAR-10, binary version: one label byte in a record. The format has no magic number, so its file names tell it. */
export const cifar: FileFormat = {
  name: "cifar10",
  summary: "CIFAR-10 binary files (data_batch*.bin, test_batch*.bin, .gz too)",
  detect: (files) => files.filter((f) => /^(data|test)_batch.*\.bin$/.test(f.name)),
  async read(files, { classes = 10 }) {
    const part = (name: string): ReturnType<typeof readCifarRecords> =>
      readCifarRecords(
        files.filter((f) => f.name.startsWith(name)),
        classes,
        1,
      );
    return { train: await part("data"), test: await part("test"), classes, scale: 1, zeroPoint: 0 };
  },
};
