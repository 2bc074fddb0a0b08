// The built library with the few internals that exact evaluation needs.
import path from "node:path";
import { pathToFileURL } from "node:url";

/** @param dist folder of the built library */
export async function loadLibrary(dist) {
  const at = (file) => import(pathToFileURL(path.join(path.resolve(dist), file)).href);
  const [library, { getOp }, { shapeAt }] = await Promise.all([
    at("index.js"),
    at("model/ops/index.js"),
    at("model/types.js"),
  ]);
  return { ...library, getOp, shapeAt };
}
