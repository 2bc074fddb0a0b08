import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { deviceProfile } from "../../src/model/device-profile.js";

test("docs/device-profile.schema.json is the schema that profiles are read with", () => {
  const file = new URL("../../docs/device-profile.schema.json", import.meta.url);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(z.toJSONSchema(deviceProfile));
});
